"""Everything that a client can get wrong, one by one: a problem with status, field and remedy, and nothing stored."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.app import MAX_BODY, Application
from storage.records.apikeys import Keys
from tests.service.conftest import ABSTRACT, TestServices, with_key

LONG = "A sentence of an abstract. " * 200


def post(client: FlaskClient, body: bytes | str, content_type: str | None = "application/json") -> TestResponse:
    return client.post("/api/predict/", data=body, content_type=content_type)


def assert_problem(response: TestResponse, services: TestServices, status: int, *words: str) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(response.data)
    assert response.content_type == "application/problem+json"
    assert (response.status_code, problem["status"]) == (status, status)
    assert {"type", "title", "detail"} <= set(problem)
    text = json.dumps(problem, ensure_ascii=False)
    assert [word for word in words if word not in text] == []
    assert "Traceback" not in text
    assert 'File "' not in text
    assert services.stored() == 0
    assert services.engine.texts == []
    return problem


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "line 1, column 2"),
        (b'{"abstract": "x"', "not JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"[" * 30_000, "nested"),
        (b'{"abstract":' * 5_000, "nested"),
        (b'{"top_k": ' + b"9" * 5_000 + b"}", "too long"),
    ],
)
def test_a_body_that_is_not_json(client: FlaskClient, services: TestServices, body: bytes, word: str) -> None:
    problem = assert_problem(post(client, body), services, 400, word)
    assert problem["type"] == "/problems/malformed-body"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_a_wrong_content_type(client: FlaskClient, services: TestServices, content_type: str | None) -> None:
    body = json.dumps({"abstract": ABSTRACT})
    assert_problem(post(client, body, content_type), services, 415, "application/json")


@pytest.mark.parametrize("body", [[ABSTRACT], ABSTRACT, 5, None, True])
def test_json_that_is_no_object(client: FlaskClient, services: TestServices, body: Any) -> None:
    problem = assert_problem(post(client, json.dumps(body)), services, 400, "JSON object")
    assert list(problem["errors"]) == ["_schema"]


@pytest.mark.parametrize(
    ("body", "field", "word"),
    [
        ({}, "abstract", "missing"),
        ({"abstract": ABSTRACT, "abstrakt": "x"}, "abstrakt", "no such field"),
        ({"abstract": None}, "abstract", "null"),
        ({"abstract": 5}, "abstract", "Not a string"),
        ({"abstract": [ABSTRACT]}, "abstract", "Not a string"),
        ({"abstract": {"text": ABSTRACT}}, "abstract", "Not a string"),
        ({"abstract": ""}, "abstract", "white space"),
        ({"abstract": " \n\t\u00a0\u2003" * 30}, "abstract", "white space"),
        ({"abstract": LONG[:49]}, "abstract", "49 characters"),
        ({"abstract": "  " + LONG[:49] + "  "}, "abstract", "49 characters"),
        ({"abstract": LONG[:5001]}, "abstract", "5001 characters"),
        ({"abstract": ABSTRACT + "\0"}, "abstract", "U+0000"),
        ({"abstract": "\x1b[31m" + ABSTRACT}, "abstract", "U+001B"),
        ({"abstract": ABSTRACT + "\x7f"}, "abstract", "U+007F"),
        ({"abstract": ABSTRACT + "\x85"}, "abstract", "U+0085"),
        ({"abstract": ABSTRACT + "\ud800"}, "abstract", "U+D800"),
        ({"abstract": "12345 67890 + - = ( ) ... " * 4}, "abstract", "no words"),
        ({"abstract": "https://example.org/a-very-long-address/of-something " * 2}, "abstract", "no words"),
        ({"abstract": ABSTRACT, "threshold": 2}, "threshold", "0 to 1"),
        ({"abstract": ABSTRACT, "threshold": -0.1}, "threshold", "0 to 1"),
        ({"abstract": ABSTRACT, "threshold": "0.5"}, "threshold", "Not a number"),
        ({"abstract": ABSTRACT, "threshold": True}, "threshold", "Not a number"),
        ({"abstract": ABSTRACT, "threshold": None}, "threshold", "null"),
        ({"abstract": ABSTRACT, "threshold": float("nan")}, "threshold", "finite"),
        ({"abstract": ABSTRACT, "threshold": float("inf")}, "threshold", "finite"),
        ({"abstract": ABSTRACT, "threshold": 10**400}, "threshold", "finite"),
        ({"abstract": ABSTRACT, "top_k": 0}, "top_k", "at least 1"),
        ({"abstract": ABSTRACT, "top_k": -1}, "top_k", "at least 1"),
        ({"abstract": ABSTRACT, "top_k": 1.5}, "top_k", "whole number"),
        ({"abstract": ABSTRACT, "top_k": "3"}, "top_k", "whole number"),
        ({"abstract": ABSTRACT, "top_k": True}, "top_k", "whole number"),
    ],
)
def test_a_field_that_is_wrong(
    client: FlaskClient, services: TestServices, body: dict[str, Any], field: str, word: str
) -> None:
    problem = assert_problem(post(client, json.dumps(body)), services, 400, word)
    assert problem["type"] == "/problems/invalid-request"
    assert list(problem["errors"]) == [field]
    assert all(isinstance(message, str) for message in problem["errors"][field])


def test_every_wrong_field_is_named_at_once(client: FlaskClient, services: TestServices) -> None:
    problem = assert_problem(post(client, json.dumps({"abstract": 5, "threshold": 2, "x": 1})), services, 400)
    assert sorted(problem["errors"]) == ["abstract", "threshold", "x"]


@pytest.mark.parametrize("length", [50, 5000])
def test_the_bounds_themselves_are_fine(client: FlaskClient, length: int) -> None:
    abstract = LONG[: length - 1] + "x"
    assert post(client, json.dumps({"abstract": f"  {abstract}\n"})).status_code == 200


def test_the_largest_valid_request_fits(client: FlaskClient) -> None:
    body = json.dumps({"abstract": "word " + "\U0001d54f" * 4995})
    assert len(body) < MAX_BODY
    assert post(client, body).status_code == 200


@pytest.mark.parametrize("size", [MAX_BODY + 1, 10 * 1024 * 1024])
def test_a_body_that_is_too_large(client: FlaskClient, services: TestServices, size: int) -> None:
    assert_problem(post(client, b'"' + b"a" * size), services, 413, "larger")


def test_an_unknown_model(client: FlaskClient, services: TestServices) -> None:
    response = client.post("/api/models/nonsense/predict", json={"abstract": ABSTRACT})
    assert_problem(response, services, 404, "nonsense", "arxiv-mini")


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", "/api/predict/", "POST"), ("DELETE", "/livez", "GET, HEAD")]
)
def test_a_wrong_method(client: FlaskClient, services: TestServices, method: str, path: str, allowed: str) -> None:
    response = client.open(path, method=method)
    assert_problem(response, services, 405, allowed)
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path", ["/nope", "/api/nope", "/api/models/a/b/c", "/web/../config.py", "/web/nope.js", "/problems/x"]
)
def test_a_wrong_address(client: FlaskClient, services: TestServices, path: str) -> None:
    assert_problem(client.get(path), services, 404, "/openapi.json")


def test_a_request_without_key(app: Application, services: TestServices) -> None:
    response = app.test_client().post("/api/predict/", json={"abstract": ABSTRACT})
    assert_problem(response, services, 401, "Authorization: Bearer")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("text", ["x", "abs_", "abs_a_b", "abs_" + "a" * 5000, "Ünïcode", "a b c", "abs_\\0_x"])
def test_a_malformed_key(app: Application, services: TestServices, text: str) -> None:
    calls = services.store.calls
    response = app.test_client().post(
        "/api/predict/", json={"abstract": ABSTRACT}, headers={"X-API-Key": text.encode().decode("latin-1")}
    )
    problem = assert_problem(response, services, 401, "malformed")
    assert text not in problem["detail"] or len(text) < 2
    assert services.store.calls == calls
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def refused(app: Application, key: str) -> TestResponse:
    return with_key(app, key).post("/api/predict/", json={"abstract": ABSTRACT})


def test_an_unknown_key(app: Application, services: TestServices) -> None:
    elsewhere = TestServices({"ABSTRACTS_STORE_URL": "memory://"})
    assert_problem(refused(app, elsewhere.keys.create("x", ["predict"])[1]), services, 401, "not known")


def test_a_revoked_key(app: Application, services: TestServices) -> None:
    record, key = services.keys.create("x", ["predict"])
    services.keys.revoke(record.id)
    assert_problem(refused(app, key), services, 401, "revoked")


def test_an_expired_key(app: Application, services: TestServices) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    keys = Keys(services.backend, now=lambda: yesterday)
    _, key = keys.create("x", ["predict"], expires_at=yesterday + timedelta(hours=1))
    assert_problem(refused(app, key), services, 401, "expired")


def test_a_key_without_the_scope(app: Application, services: TestServices) -> None:
    response = refused(app, services.keys.create("x", ["read"])[1])
    assert_problem(response, services, 403, "scope", "predict")
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


def test_a_fault_of_ours_shows_no_traceback(
    client: FlaskClient, services: TestServices, caplog: pytest.LogCaptureFixture
) -> None:
    services.engine.failures.append(ZeroDivisionError("a secret detail"))
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.engine.texts.clear()
    problem = assert_problem(response, services, 500, "urn:request:")
    assert "secret" not in response.text
    assert problem["instance"] in caplog.text
    assert "a secret detail" in caplog.text
