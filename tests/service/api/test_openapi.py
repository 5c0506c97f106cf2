"""The OpenAPI document against the routes and against a live server, and the page that shows it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.app import Application
from service.kinds import KINDS
from tests.service.front.test_server import Server

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,allow_header_conformance,use_after_free,ignored_auth"
)

# A model that is known and not installed is a 503 by design; no other operation may end in a 5xx.
CONFIGURATION = """
[[operations]]
include-path = "/api/models/{model}/predict"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 503]
"""


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/openapi.json").get_json()
    return body


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def test_every_route_is_described_and_nothing_else(app: Application, document: dict[str, Any]) -> None:
    routes = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations(document)) == routes
    assert document["openapi"].startswith("3.1")


def test_every_operation_says_what_it_answers(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        responses = operation["responses"]
        assert operation["summary"], path
        assert "default" not in responses, path
        if path.startswith("/api"):
            assert {"401", "429", "503"} <= set(responses), path
            assert ("403" in responses) == (path != "/api/key"), path
            assert all("headers" in response for response in responses.values() if "$ref" not in response), path
        if method == "POST":
            assert operation["requestBody"]["content"], path


def test_every_reference_leads_somewhere_and_every_problem_has_an_example(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place: Any = document
        for part in reference.split("/"):
            place = place[part]
        assert place
    text = json.dumps(document["components"]["responses"])
    assert [slug for slug in KINDS if f'"{slug}"' not in text] == []


def test_the_headers_that_are_sent_are_described(client: FlaskClient, document: dict[str, Any]) -> None:
    own = {
        "Date",
        "Content-Type",
        "Content-Length",
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "Referrer-Policy",
    }
    body = document["paths"]["/api/predict/"]["post"]["requestBody"]
    request = body["content"]["application/json"]["example"]
    posted = client.post("/api/predict/", json=request)
    job = client.post("/api/predict/", json=request, headers={"Prefer": "respond-async"})
    answers = {
        ("POST", "/api/predict/"): (posted, "200"),
        ("GET", "/api/predictions/{id}"): (client.get(f"/api/predictions/{posted.get_json()['id']}"), "200"),
        ("POST", "/api/jobs"): (job, "202"),
        ("GET", "/api/models"): (client.get("/api/models"), "200"),
        ("GET", "/api/key"): (client.get("/api/key"), "200"),
        ("GET", "/docs"): (client.get("/docs"), "200"),
    }
    for place, (response, status) in answers.items():
        described = operations(document)[place]["responses"][status]["headers"]
        sent = set(response.headers.keys()) - own - {"Cache-Control", "Preference-Applied"}
        assert sent - set(described) == set(), place


def test_the_page_that_shows_it_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "web/docs.js"} <= set(sources)
    for source in sources:
        if source != "data:,":
            assert not source.startswith(("/", "http"))
            assert client.get(f"/{source.removeprefix('.')}").status_code == 200, source
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    etag = client.get("/docs/swagger-ui.css").headers["ETag"]
    assert client.get("/docs/swagger-ui.css", headers={"If-None-Match": etag}).status_code == 304
    assert client.get("/docs/index.template.html").status_code == 404


def test_a_live_server_answers_as_described(tmp_path: Path) -> None:
    server = Server(tmp_path)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    with server.running():
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json"]
        command += ["--checks", CHECKS, "--header", f"Authorization: Bearer {server.key}", "--max-time", "40"]
        command += ["--phases", "examples,coverage,fuzzing", "--seed", "1", "--suppress-health-check", "all"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        assert server.ask("GET", "/readyz")[2]["state"] == "ready"
