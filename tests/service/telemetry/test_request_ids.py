"""The id of a request: what is taken for one, and everywhere that it stands."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from service.app import create_app
from service.front.held import Held, Room
from service.front.parsing import Request
from service.telemetry.logs import AccessLog
from service.telemetry.request_ids import RequestId, identify, new_id, urn
from storage.records.keyformat import format_key, new_secret
from storage.records.keyformat import new_id as new_key_id
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key
from tests.service.front.serving import get, served
from tests.service.front.test_server import Server
from tests.service.waiting import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
BODY = {"abstract": ABSTRACT}


@pytest.mark.parametrize("id", ["a", "0" * 128, "7f3a-b/c:d@e.f+g=~_", "550e8400-e29b-41d4-a716-446655440000"])
def test_a_good_id_is_taken(id: str) -> None:
    assert identify(id, None) == RequestId(id)
    assert identify(id, PARENT) == RequestId(id, TRACE)


@pytest.mark.parametrize(
    "id",
    ["", " ", "a b", "a, b", '"', "\\", "a\n", "\r\nX: y", "-a", "/a", "é", "0" * 129, "<a>", "%41"],
)
def test_what_is_no_id_is_not_passed_on(id: str) -> None:
    assert len(identify(id, None).id) == 32
    assert identify(id, PARENT) == RequestId(TRACE)


def test_an_api_key_is_no_id() -> None:
    key = format_key(new_key_id(), new_secret())
    for id in (key, f"x-{key}", key.upper()):
        assert "abs_" not in identify(id, None).id.lower()


@pytest.mark.parametrize("parent", [PARENT, f"cc-{TRACE}-00f067aa0ba902b7-00", f"01-{TRACE}-00f067aa0ba902b7-00-what"])
def test_a_traceparent_gives_its_trace(parent: str) -> None:
    assert identify(None, parent) == RequestId(TRACE)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        PARENT.upper(),
        f"{PARENT}-what",
        f"{PARENT} ",
        PARENT.replace("00-", "ff-", 1),
        PARENT.replace(TRACE, "0" * 32),
        PARENT.replace("00f067aa0ba902b7", "0" * 16),
        PARENT[1:],
        f"01-{TRACE}-00f067aa0ba902b7-00-{'x' * 201}",
    ],
)
def test_a_traceparent_that_is_none_counts_as_absent(parent: str) -> None:
    found = identify(None, parent)
    assert found.id not in (TRACE, "0" * 32)
    assert len(found.id) == 32


def test_no_two_are_the_same() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


class Lines(AccessLog):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[dict[str, Any]] = []

    def write(self, line: str) -> None:
        self.written.append(json.loads(line))


@pytest.fixture
def logged(make_services: MakeServices) -> tuple[TestServices, Lines]:
    services, lines = make_services(), Lines()
    services.__dict__["access_log"] = lines
    return services, lines


def test_the_answer_and_the_log_have_the_id_that_was_sent_or_made(logged: tuple[TestServices, Lines]) -> None:
    services, lines = logged
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    headers: list[dict[str, str]] = [{}, {"X-Request-ID": "mine"}, {"traceparent": PARENT}]
    answers = [client.post("/api/predict/", json=BODY, headers=each) for each in headers]
    answers.append(client.get("/nothing", headers={"X-Request-ID": "mine", "traceparent": PARENT}))
    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert ids[1:] == ["mine", TRACE, "mine"]
    assert len(ids[0]) == 32
    assert [line["request"] for line in lines.written] == ids
    assert [line.get("trace") for line in lines.written] == [None, None, None, TRACE]
    assert [line.get("model") for line in lines.written] == ["arxiv-mini"] * 3 + [None]
    assert [line["bytes"] for line in lines.written] == [len(answer.data) for answer in answers]


@pytest.mark.parametrize("headers", [{"x-request-id": "mine"}, {"traceparent": PARENT}, {"x-request-id": "a b"}, {}])
def test_the_lane_says_what_flask_says(logged: tuple[TestServices, Lines], headers: dict[str, str]) -> None:
    services, lines = logged
    key = services.keys.create("x", ["predict"])[1]
    client = create_app(services=services).test_client()
    client.environ_base["HTTP_X_API_KEY"] = key
    body = json.dumps(BODY).encode()
    flask = [client.post("/api/predict/", data=body, content_type="application/json", headers=headers) for _ in "12"]
    held = Held(Room())
    held.write(body)
    request = Request("127.0.0.1", held, "POST", "/api/predict/")
    request.headers = {"content-type": "application/json", "x-api-key": key, **headers}
    reply = services.lane(request)
    assert not callable(reply)
    assert reply is not None
    id = dict(reply.headers)["X-Request-ID"]
    given = id == flask[1].headers["X-Request-ID"]
    assert given == (headers not in ({}, {"x-request-id": "a b"}))
    varying = ("time", "ms", *(() if given else ("request",)))
    told = [{name: value for name, value in line.items() if name not in varying} for line in lines.written[-2:]]
    assert told[0] == told[1]
    assert lines.written[-1]["request"] == id


def test_a_problem_is_an_instance_of_its_request(client: FlaskClient) -> None:
    for path in ("/nothing", "/api/predictions/none", "/api/models/none"):
        answer = client.get(path, headers={"X-Request-ID": "mine"})
        assert answer.get_json()["instance"] == urn("mine") == "urn:request:mine"
    answer = client.post("/api/predict/", json={"abstract": "too short"})
    assert answer.get_json()["instance"] == urn(answer.headers["X-Request-ID"])
    batch = client.post("/api/predict/batch", json={"abstracts": ["too short"]}).get_json()
    assert "instance" not in batch["results"][0]["problem"]


def test_what_nobody_foresaw_is_found_by_its_request(
    client: FlaskClient, services: TestServices, caplog: pytest.LogCaptureFixture
) -> None:
    services.engine.failures.append(ZeroDivisionError())
    answer = client.post("/api/predict/", json=BODY, headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.get_json()["instance"]) == (500, "urn:request:mine")
    assert "urn:request:mine" in caplog.text


@pytest.mark.parametrize("headers", [(), ("X-Request-ID: mine",), (f"traceparent: {PARENT}",)])
def test_what_the_server_refuses_by_itself_has_one_too(
    logged: tuple[TestServices, Lines], headers: tuple[str, ...]
) -> None:
    services, lines = logged
    with served(lambda _environ, _start: [], refuse=services.refusals) as server:
        head, _, body = server.exchange(get("/x", *headers, "Transfer-Encoding: gzip")).partition(b"\r\n\r\n")
        server.exchange(b"nonsense\r\n\r\n")
    names = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert json.loads(body)["instance"] == urn(names["X-Request-ID"])
    assert names["X-Request-ID"] in ("mine", TRACE) if headers else len(names["X-Request-ID"]) == 32
    assert [line["status"] for line in lines.written] == [400, 400]
    assert lines.written[0]["request"] == names["X-Request-ID"]
    assert (lines.written[0]["path"], lines.written[0]["ip"]) == ("/x", "127.0.0.1")


def test_a_job_has_the_request_that_it_came_with(client: FlaskClient, services: TestServices) -> None:
    body = {"abstracts": [ABSTRACT]}
    headers = {"X-Request-ID": "mine", "Idempotency-Key": "k"}
    made = client.post("/api/jobs", json=body, headers=headers)
    assert made.get_json()["request_id"] == "mine"
    again = client.post("/api/jobs", json=body, headers={**headers, "X-Request-ID": "another"})
    assert (again.get_json()["request_id"], again.headers["X-Request-ID"]) == ("mine", "another")
    preferred = client.post("/api/predict/", json=BODY, headers={"X-Request-ID": "third", "Prefer": "respond-async"})
    assert preferred.get_json()["request_id"] == "third"
    job = services.jobs.find(made.get_json()["id"])
    assert job is not None
    assert job.request == "mine"


def test_probes_are_logged_when_they_fail_or_if_it_is_asked_for(make_services: MakeServices) -> None:
    for setting, routes in (("false", ["/readyz", "/livez"]), ("true", ["/livez", "/metrics", "/readyz", "/livez"])):
        services, lines = make_services(LOG_PROBES=setting), Lines()
        services.__dict__["access_log"] = lines
        client = create_app(services=services).test_client()
        client.get("/livez")
        client.get("/metrics")
        services.registry.list = list  # type: ignore[method-assign]
        client.get("/readyz")
        client.post("/livez")
        assert [line.get("route", line.get("path")) for line in lines.written] == routes


def line_with(process: "subprocess.Popen[str]", text: str) -> str:
    """The next line of standard error with this text."""
    assert process.stderr is not None
    return next(line for line in process.stderr if text in line)


def test_log_lines_of_a_job_and_of_a_request_name_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.variables["ABSTRACTS_LOG_LEVEL"] = "INFO"
    errors = tmp_path / "errors"
    with errors.open("wb") as file, server.running(stdout=subprocess.DEVNULL, stderr=file.fileno()):
        url = f"http://127.0.0.1:{server.port}/api/jobs"
        headers = {"X-API-Key": server.key, "X-Request-ID": "the-one"}
        assert requests.post(url, json={"abstracts": [ABSTRACT]}, headers=headers, timeout=60).status_code == 202
        until(lambda: "finished chunk 1 of 1" in errors.read_text())
    lines = errors.read_text().splitlines()
    assert [line.endswith(" (request the-one)") for line in lines if "finished chunk" in line] == [True]
    assert all("(request" not in line for line in lines if "abstracts.server" in line)
