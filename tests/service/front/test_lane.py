"""The lane: it answers what it knows as Flask does (tests/service/front/lane_client.py), and passes on the rest."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from service.front.answering import Reply
from service.front.held import Held, Room
from service.front.lane import Lane
from service.front.parsing import Request
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key
from tests.service.front.lane_client import LaneClient, make_lane

BODY = json.dumps({"abstract": ABSTRACT})


def request(key: str, body: str = BODY, path: str = "/api/predict/", **headers: str) -> Request:
    held = Held(Room())
    held.write(body.encode())
    made = Request("127.0.0.1", held, "POST", path)
    made.headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    made.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    return made


def asked(lane: Lane, made: Request) -> Reply | None:
    """The lane's answer, also where it has to look into the store."""
    reply = lane(made)
    return reply() if callable(reply) else reply


@pytest.fixture
def known(client: FlaskClient) -> FlaskClient:
    """A client whose abstract is stored."""
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200
    return client


@pytest.fixture
def lane(known: FlaskClient, services: TestServices) -> Lane:
    return make_lane(services)


@pytest.mark.parametrize(
    "body",
    [
        {"abstract": ABSTRACT},
        {"abstract": f"  {ABSTRACT}\n"},
        {"abstract": ABSTRACT, "threshold": 0.25},
        {"abstract": ABSTRACT, "threshold": 0},
        {"abstract": ABSTRACT, "threshold": 1, "top_k": 2},
        {"abstract": ABSTRACT, "top_k": 1},
    ],
)
@pytest.mark.parametrize("path", ["/api/predict/", "/api/predict", "/api/models/arxiv-mini/predict"])
def test_a_stored_answer_is_flasks_own(known: FlaskClient, path: str, body: dict[str, Any]) -> None:
    assert isinstance(known, LaneClient)
    before = type(known).answered
    assert known.post(path, json=body).get_json()["cached"]
    assert type(known).answered == before + 1


def test_memory_is_asked_at_once_and_the_store_by_what_may_wait(lane: Lane, services: TestServices, key: str) -> None:
    assert isinstance(lane(request(key)), Reply)
    services.memory.clear()
    later = lane(request(key))
    assert isinstance(later, Callable)  # type: ignore[arg-type]
    assert isinstance(lane(request(key, json.dumps({"abstract": f"Other words: {ABSTRACT}"}))), Callable)  # type: ignore[arg-type]
    assert asked(lane, request(key)) is not None


@pytest.mark.parametrize(
    "made",
    [
        lambda key: request(key, cache_control="no-cache"),
        lambda key: request(key, prefer="respond-async"),
        lambda key: request(key, content_type="text/plain"),
        lambda key: request(key, content_encoding="gzip"),
        lambda key: request(f"{key}x"),
        lambda key: request(key, path="/api/models/nonsense/predict"),
        lambda key: request(key, path="/api/predict/batch"),
        lambda key: request(key, BODY.replace("}", ', "title": 1}')),
        lambda key: request(key, BODY.replace("}", ', "threshold": 2}')),
        lambda key: request(key, BODY.replace("}", ', "threshold": true}')),
        lambda key: request(key, BODY.replace("}", ', "top_k": 0}')),
        lambda key: request(key, "{"),
        lambda key: request(key, '{"abstract": "short"}'),
        lambda key: request(key, json.dumps({"abstract": f"Words that nobody has sent before. {ABSTRACT}"})),
    ],
)
def test_what_it_does_not_know_it_passes_on(lane: Lane, key: str, made: Callable[[str], Request]) -> None:
    assert asked(lane, made(key)) is None


def test_it_never_says_no_and_counts_nothing_then(make_services: MakeServices) -> None:
    services = make_services(LIMIT_KEY="3 per day")
    key = services.keys.create("x", ["predict"])[1]
    client, lane = with_key(create_app(services=services), key), services.lane
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200
    answered = [asked(lane, request(key)) for _ in range(4)]
    assert [reply is not None for reply in answered] == [True, True, False, False]
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 429


def test_the_store_is_out_and_memory_answers(lane: Lane, services: TestServices, key: str) -> None:
    services.store.down = True
    assert asked(lane, request(key)) is not None
    services.memory.clear()
    assert asked(lane, request(key)) is None


def test_the_address_counts_that_the_proxies_name(make_services: MakeServices) -> None:
    services = make_services(LIMIT_IP="2 per day", TRUSTED_PROXIES="1")
    key = services.keys.create("x", ["predict"])[1]
    client, lane = with_key(create_app(services=services), key), services.lane
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200
    for number in range(5):
        assert asked(lane, request(key, x_forwarded_for=f"203.0.113.{number}")) is not None
    assert [asked(lane, request(key, x_forwarded_for="203.0.113.0")) is not None for _ in range(2)] == [True, False]
