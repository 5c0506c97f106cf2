"""A store that answers, but slowly: no request waits for long, and in the end none waits for it."""

import json
import time
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import run_wsgi_app

from service.app import Application
from service.front.wsgi import Place, environ_of
from tests.couchbase_server.launch import PASSWORD, USER, Peer
from tests.couchbase_server.wire import Opcode
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key
from tests.service.front.test_lane import asked, request

TIMEOUT = 0.5
DELAY = 0.6 * TIMEOUT
OPERATIONS = 6
"""Of a miss: looked for, charged, and written with its line in the index."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running


@pytest.fixture
def services(peer: Peer, make_services: MakeServices) -> TestServices:
    """Over Couchbase, without memory of their own."""
    settings = {"STORE_URL": peer.url, "STORE_USERNAME": USER, "STORE_PASSWORD": PASSWORD, "L1_SIZE": "0"}
    made = make_services(STORE_TIMEOUT=f"{TIMEOUT}s", STORE_CONNECT_TIMEOUT="10s", **settings)
    del made.__dict__["backend"]  # theirs, not that of other tests
    made.backend.init()
    return made


@pytest.fixture
def client(app: Application, key: str) -> FlaskClient:
    """One whose key is known, and its first abstract stored."""
    made = with_key(app, key)
    assert ask(made, 0) < TIMEOUT
    return made


def ask(client: FlaskClient, number: int) -> float:
    """How long an answer takes."""
    began = time.monotonic()
    response = client.post("/api/predict/", json={"abstract": text(number)})
    assert response.status_code == 200
    return time.monotonic() - began


def text(number: int) -> str:
    return f"{ABSTRACT} This is measurement number {number}."


def test_a_request_is_bounded_as_a_whole_and_after_some_nobody_waits(
    client: FlaskClient, app: Application, services: TestServices, peer: Peer
) -> None:
    other = services.keys.create("other", ["predict"])[1]
    peer.fault("delay", seconds=DELAY)
    for number in range(1, 4):
        assert not services.patience.out
        assert ask(client, number) < 3 * TIMEOUT < OPERATIONS * DELAY
    assert services.patience.out
    before = peer.requests(Opcode.GET)
    for number in range(4, 8):
        ask(client, number)
    assert peer.requests(Opcode.GET) == before
    # A key that is not known is asked for, since there is no answer without it.
    ask(with_key(app, other), 8)
    assert peer.requests(Opcode.GET) == before + 1
    # Jobs wait for the store as long as it takes.
    assert services.jobs.find(services.jobs.create("owner", "arxiv-mini", [text(9)]).id) is not None
    ready = client.get("/readyz").get_json()
    assert (ready["state"], ready["store"]) == ("degraded", "impaired")
    assert "abstracts_store_available 0.0" in client.get("/metrics").text


def test_it_is_found_out_that_the_store_is_quick_again(
    client: FlaskClient, services: TestServices, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.fault("delay", seconds=DELAY)
    for number in range(1, 4):
        ask(client, number)
    peer.heal()
    assert services.patience.out
    now = time.monotonic
    monkeypatch.setattr(services.patience._breaker, "_clock", lambda: now() + 60)
    ask(client, 0)
    assert not services.patience.out
    assert client.post("/api/predict/", json={"abstract": text(0)}).get_json()["cached"]


def test_a_batch_has_more_time(client: FlaskClient, services: TestServices, peer: Peer) -> None:
    began = time.monotonic()
    peer.fault("delay", seconds=DELAY)
    response = client.post("/api/predict/batch", json={"abstracts": [text(number) for number in range(10, 42)]})
    assert response.get_json()["misses"] == 32
    assert 2 * TIMEOUT < time.monotonic() - began < (2 + 2 * 32 / 16 + 2) * TIMEOUT < 32 * OPERATIONS * DELAY


def test_what_the_lane_asked_in_vain_is_not_asked_again(
    client: FlaskClient, app: Application, services: TestServices, key: str, peer: Peer
) -> None:
    ask(client, 1)  # what it takes beside the look-up is cached
    made = request(key, json.dumps({"abstract": text(2)}))
    before = peer.requests(Opcode.GET)
    assert asked(services.lane, made) is None
    assert peer.requests(Opcode.GET) == before + 1
    environ = environ_of(made, Place("127.0.0.1", "80", False))
    assert environ["abstracts.earlier"].budget.left < environ["abstracts.earlier"].budget.seconds
    body, status, _ = run_wsgi_app(app, environ)
    assert status == "200 OK"
    assert json.loads(b"".join(body))["cached"] is False
    assert peer.requests(Opcode.GET) == before + 1
