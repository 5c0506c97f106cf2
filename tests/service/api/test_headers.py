"""What every answer says of caching and types, what a body may be encoded with, and where redirects lead."""

import gzip
import json
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from service.telemetry.logs import AccessLog
from tests.service.conftest import ABSTRACT, MakeServices

BODY = json.dumps({"abstract": ABSTRACT}).encode()
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "directives"),
    [
        ("/api/models", "private, no-cache"),
        ("/api/models/arxiv-mini", "private, no-cache"),
        ("/api/models/nosuch", "no-store"),
        ("/api/key", "private, no-cache"),
        ("/livez", "no-store"),
        ("/readyz", "no-store"),
        ("/metrics", "no-store"),
        ("/nothing", "no-store"),
        ("/api/predictions/nosuch", "no-store"),
        ("/", "no-cache"),
        ("/docs", "no-cache"),
        ("/web/app.js", "no-cache"),
        ("/openapi.json", "no-store"),
        ("/problems/key-missing", "no-store"),
    ],
)
def test_every_answer_to_a_get_says_who_may_keep_it(client: FlaskClient, path: str, directives: str) -> None:
    assert client.get(path).headers.getlist("Cache-Control") == [directives]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "NOSUCH"])
@pytest.mark.parametrize(
    "path", ["/", "/api/models", "/api/predict/", "/livez", "/nothing", "/web/app.js", "/api//models"]
)
def test_no_type_is_guessed(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(path, method=method).headers.getlist("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize("path", ["/api//predict/", "//api/predict/", "//evil.example//api"])
def test_a_redirect_leads_nowhere_else(client: FlaskClient, path: str) -> None:
    response = client.post(path, data=BODY, headers={**JSON, "Host": "evil.example"})
    assert response.status_code in (308, 404)
    if response.status_code == 308:
        location = response.headers["Location"]
        assert location == "/api/predict/"
        assert urlsplit(location).netloc == ""


def test_a_redirect_keeps_the_query(client: FlaskClient) -> None:
    assert client.get("/api//models?a=%2F%2Fb&c").headers["Location"] == "/api/models?a=%2F%2Fb&c"


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip", "nonsense"])
@pytest.mark.parametrize("path", ["/api/predict/", "/api/predict/batch", "/api/jobs", "/api/predict/pdf"])
def test_a_compressed_body_is_refused_and_told_what_is_taken(client: FlaskClient, path: str, encoding: str) -> None:
    response = client.post(path, data=gzip.compress(BODY), headers={**JSON, "Content-Encoding": encoding})
    assert (response.status_code, response.headers["Accept-Encoding"]) == (415, "identity")
    assert response.get_json()["type"] == "/problems/wrong-content-encoding"


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_plain_body_may_say_so(client: FlaskClient, encoding: str) -> None:
    assert client.post("/api/predict/", data=BODY, headers={**JSON, "Content-Encoding": encoding}).status_code == 200


def test_a_byte_order_mark_is_passed_over(client: FlaskClient) -> None:
    assert client.post("/api/predict/", data=b"\xef\xbb\xbf" + BODY, headers=JSON).status_code == 200
    for body in (b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf" + BODY, BODY.decode().encode("utf-16")):
        assert client.post("/api/predict/", data=body, headers=JSON).status_code == 400


@pytest.mark.parametrize("cache_control", ["no-store", "only-if-cached", "no-store, no-cache"])
def test_a_preference_gives_way_to_what_the_cache_is_told(client: FlaskClient, cache_control: str) -> None:
    headers = {**JSON, "Prefer": "respond-async", "Cache-Control": cache_control}
    response = client.post("/api/predict/", data=BODY, headers=headers)
    assert response.status_code == (504 if cache_control == "only-if-cached" else 200)
    assert "Preference-Applied" not in response.headers


def test_a_request_for_a_job_may_be_repeated(client: FlaskClient) -> None:
    headers = {**JSON, "Prefer": "respond-async", "Idempotency-Key": "one"}
    first, second = (client.post("/api/predict/", data=BODY, headers=headers) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    other = json.dumps({"abstract": f"{ABSTRACT} Another."}).encode()
    assert client.post("/api/predict/", data=other, headers=headers).status_code == 422


def test_made_up_methods_are_one_in_the_metrics(client: FlaskClient) -> None:
    for number in range(50):
        client.open("/api/models", method=f"MADE{number}")
        client.open("/nothing", method=f"MADE{number}")
    lines = [line for line in client.get("/metrics").text.splitlines() if 'method="' in line and "MADE" in line]
    assert lines == []
    assert 'method="other"' in client.get("/metrics").text


def test_the_log_takes_the_address_that_counts(make_services: MakeServices) -> None:
    lines: list[str] = []

    class Lines(AccessLog):
        def write(self, line: str) -> None:
            lines.append(line)

    services = make_services(TRUSTED_PROXIES="1")
    services.__dict__["access_log"] = Lines()
    client = create_app(services=services).test_client()
    for forwarded in ("192.0.2.7:99", '9.9.9.9", "key": "x'):
        client.get("/api/models", headers={"X-Forwarded-For": forwarded})
    assert [json.loads(line)["ip"] for line in lines] == ["192.0.2.7", "127.0.0.1"]
    assert "key" not in json.loads(lines[1])
