"""The OpenAPI document against the routes and against a live server, and the page that shows it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask.testing import FlaskClient

from service import __version__
from service.app import Application
from service.kinds import KINDS
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until

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
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule).rstrip("/") or "/")
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations(document)) == routes
    assert document["openapi"].startswith("3.1")


def test_every_operation_says_what_it_answers(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        responses = operation["responses"]
        assert operation["summary"], path
        assert operation["description"], path
        assert "default" not in responses, path
        assert {"400", "408", "431", "500", "503"} <= set(responses), path
        if path.startswith("/api"):
            assert {"401", "429", "503"} <= set(responses), path
            assert ("403" in responses) == (path != "/api/key"), path
            assert all("headers" in response for response in responses.values() if "$ref" not in response), path
        if method == "POST":
            assert operation["requestBody"]["content"], path


def test_operations_are_named_for_what_they_do(document: dict[str, Any]) -> None:
    named = {operation["operationId"]: place for place, operation in operations(document).items()}
    assert named == {
        "predict": ("POST", "/api/predict"),
        "predict_with_model": ("POST", "/api/models/{model}/predict"),
        "predict_batch": ("POST", "/api/predict/batch"),
        "predict_pdf": ("POST", "/api/predict/pdf"),
        "create_job": ("POST", "/api/jobs"),
        "list_jobs": ("GET", "/api/jobs"),
        "get_job": ("GET", "/api/jobs/{id}"),
        "cancel_job": ("DELETE", "/api/jobs/{id}"),
        "get_job_results": ("GET", "/api/jobs/{id}/results"),
        "get_prediction": ("GET", "/api/predictions/{id}"),
        "list_models": ("GET", "/api/models"),
        "get_model": ("GET", "/api/models/{model}"),
        "get_key": ("GET", "/api/key"),
        "get_liveness": ("GET", "/livez"),
        "get_readiness": ("GET", "/readyz"),
        "get_metrics": ("GET", "/metrics"),
        "get_openapi": ("GET", "/openapi.json"),
        "get_docs": ("GET", "/docs"),
        "get_docs_file": ("GET", "/docs/{name}"),
        "get_page": ("GET", "/"),
        "get_page_file": ("GET", "/web/{name}"),
        "get_problem_type": ("GET", "/problems/{slug}"),
    }


def test_parameters_are_those_of_their_own_operation(document: dict[str, Any]) -> None:
    found = {
        operation["operationId"]: {parameter["name"] for parameter in operation.get("parameters", ())}
        for operation in operations(document).values()
    }
    assert {"threshold", "top_k", "model", "text_column", "id_column", "Idempotency-Key"} <= found["create_job"]
    assert found["list_jobs"] == {"limit", "after"}
    assert found["get_job_results"] == {"from", "Range"}


def test_it_says_whose_it_is_and_how_to_be_let_in(document: dict[str, Any]) -> None:
    assert document["info"]["version"] == __version__
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert document["servers"] == [{"url": "/"}]
    schemes = document["components"]["securitySchemes"]
    assert all(scheme["description"] for scheme in schemes.values())
    for (_, path), operation in operations(document).items():
        expected: list[dict[str, list[str]]] = [{name: []} for name in schemes] if path.startswith("/api") else []
        assert operation["security"] == expected, path


def test_no_answer_is_said_to_have_all_the_members_it_will_ever_have(document: dict[str, Any]) -> None:
    reached = answered(document)
    assert {"PredictionResponse", "Category", "ItemProblem", "Problem", "ReadinessResponse", "KeyLimit"} <= set(reached)
    assert [name for name, schema in reached.items() if "additionalProperties" in schema] == []


def answered(document: dict[str, Any]) -> dict[str, Any]:
    """The schemas that answers have, by name."""
    places: list[Any] = [operation["responses"] for operation in operations(document).values()]
    reached: dict[str, Any] = {}
    while places:
        for name in re.findall(r'"\$ref": "#/components/((?:responses|schemas)/\w+)"', json.dumps(places.pop())):
            kind, _, short = name.partition("/")
            if name not in reached:
                reached[name] = document["components"][kind][short]
                places.append(reached[name])
    return {name.removeprefix("schemas/"): schema for name, schema in reached.items() if name.startswith("schemas/")}


def test_several_abstracts_and_what_becomes_of_each_are_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    of_each = [{"$ref": "#/components/schemas/PredictionResponse"}, {"$ref": "#/components/schemas/ItemProblem"}]
    assert schemas["Result"]["oneOf"] == schemas["BatchResponse"]["properties"]["results"]["items"]["oneOf"] == of_each
    string, entry = schemas["BatchRequest"]["properties"]["abstracts"]["items"]["oneOf"]
    assert (string["type"], entry) == ("string", {"$ref": "#/components/schemas/EntryRequest"})
    for status in ("200", "206"):
        response = document["paths"]["/api/jobs/{id}/results"]["get"]["responses"][status]
        assert response["content"]["application/x-ndjson"]["schema"]["contentSchema"] == {
            "$ref": "#/components/schemas/Result"
        }


def test_answers_are_as_their_schemas_have_them(client: FlaskClient, document: dict[str, Any]) -> None:
    too_short = {"abstract": "too short", "id": 7}
    batch = client.post("/api/predict/batch", json={"abstracts": [ABSTRACT, too_short]})
    job = client.post("/api/jobs", data=f"{json.dumps(too_short)}\n", content_type="application/x-ndjson")
    assert_described(document, "BatchResponse", batch.get_json())
    assert_described(document, "ReadinessResponse", client.get("/readyz").get_json())
    assert_described(document, "JobResponse", job.get_json())
    until(lambda: client.get(f"/api/jobs/{job.get_json()['id']}").get_json()["state"] == "done")
    result = json.loads(client.get(job.get_json()["results"]).data)
    assert result["problem"]["line"] == 1
    assert_described(document, "Result", result)
    del result["problem"]["detail"]
    assert not validator(document, "Result").is_valid(result)


def validator(document: dict[str, Any], name: str) -> jsonschema_rs.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def assert_described(document: dict[str, Any], name: str, value: Any) -> None:
    """The value is as the schema has it, and every member of it is one that the schema names."""
    validator(document, name).validate(value)
    named = document["components"]["schemas"][name].get("properties")
    assert named is None or set(value) <= set(named)


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
    body = document["paths"]["/api/predict"]["post"]["requestBody"]
    request = body["content"]["application/json"]["example"]
    posted = client.post("/api/predict/", json=request)
    job = client.post("/api/predict/", json=request, headers={"Prefer": "respond-async"})
    answers = {
        ("POST", "/api/predict"): (posted, "200"),
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
        command += ["--checks", CHECKS, "--header", f"Authorization: Bearer {server.key}"]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--generation-deterministic"]
        command += ["--suppress-health-check", "all"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        assert server.ask("GET", "/readyz")[2]["state"] == "ready"
