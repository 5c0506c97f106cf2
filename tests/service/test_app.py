"""The application: what it imports and when, who may use which route, its log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from service.access.gate import Gate
from service.app import Application, create_app
from service.telemetry.logs import AccessLog
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key
from tests.service.waiting import until

ROOT = Path(__file__).parents[2]
HEAVY = (
    "flask_smorest",
    "marshmallow.schema",
    "numpy",
    "ai_edge_litert",
    "tokenizers",
    "httptools",
    "couchbase",
    "limits",
    "rich.console",
    "prometheus_client",
    "tensorflow",
    "transformers",
)

EXPECTED = {
    ("/api/predict/", "predict"),
    ("/api/predict/batch", "predict"),
    ("/api/predict/pdf", "predict"),
    ("/api/jobs", "predict"),
    ("/api/jobs/<id>", "predict"),
    ("/api/jobs/<id>/results", "predict"),
    ("/api/models/<model>/predict", "predict"),
    ("/api/predictions/<id>", "read"),
    ("/api/models", "read"),
    ("/api/models/<model>", "read"),
    ("/api/key", "key"),
    ("/livez", "probe"),
    ("/readyz", "probe"),
    ("/metrics", "probe"),
    ("/", "open"),
    ("/web/<name>", "open"),
    ("/docs", "open"),
    ("/docs/<name>", "open"),
    ("/openapi.json", "open"),
    ("/problems/<slug>", "open"),
}


def test_every_route_states_who_may_use_it(app: Application) -> None:
    routes = {
        (rule.rule, getattr(app.view_functions[rule.endpoint], "__access__", None)) for rule in app.url_map.iter_rules()
    }
    assert routes == EXPECTED


def test_nothing_under_api_is_open_without_a_key(app: Application) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<", "").replace(">", "")
        method = "POST" if "POST" in (rule.methods or ()) else "GET"
        if rule.rule.startswith("/api"):
            assert client.open(path, method=method).status_code == 401, rule.rule


def test_a_view_that_does_not_state_it_stops_the_start(services: TestServices) -> None:
    app = Flask("x", static_folder=None)
    app.add_url_rule("/x", "forgotten", lambda: "x")
    gate = Gate(
        services.authenticator,
        services.limits,
        services.metrics,
        services.meter,
        None,
        services.cors,
        services.patience,
    )
    with pytest.raises(TypeError, match="forgotten"):
        gate.install(app)


def run(code: str, **environ: str) -> str:
    """What a fresh interpreter prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABSTRACTS_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


def test_a_command_imports_none_of_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; from service.app import create_cli; create_cli().services.keys.list();print(' '.join(sys.modules))"
    )
    imported = set(run(code, ABSTRACTS_DATA_DIR=str(tmp_path)).split())
    assert "flask" in imported
    # environs reads settings with marshmallow, so of that only the API's own use would show.
    assert imported & (set(HEAVY) - {"marshmallow.schema"}) == set()


def test_serving_imports_neither_tensorflow_nor_transformers(tmp_path: Path) -> None:
    code = (
        "import sys, wsgi; from service.predicting.abstracts import read_abstract; s = wsgi.app.services;"
        f"s.predictor.predict_one(s.models.get(), read_abstract({ABSTRACT!r})); s.close();"
        "print(' '.join(sys.modules))"
    )
    imported = set(run(code, ABSTRACTS_DATA_DIR=str(tmp_path)).split())
    assert "ai_edge_litert" in imported
    assert imported & {"tensorflow", "transformers", "torch", "keras"} == set()


def test_the_access_log_tells_no_secret(make_services: MakeServices, tmp_path: Path) -> None:
    services = make_services(LOG_LEVEL="INFO")
    log = tmp_path / "access.log"
    with log.open("wb") as file:
        services.access_log = AccessLog(file.fileno())
        record, key = services.keys.create("x", ["predict"])
        client = with_key(create_app(services=services), key)
        client.post("/api/predict/", json={"abstract": ABSTRACT})
        client.get("/no%22pe%0A{}")
        services.access_log.close()
    hit, missed = (json.loads(line) for line in log.read_text().splitlines())
    assert (hit["method"], hit["route"], hit["status"], hit["cache"]) == ("POST", "/api/predict/", 200, "miss")
    assert (hit["key"], hit["ip"]) == (record.id, "127.0.0.1")
    assert (missed["path"], missed["status"]) == ('/no"pe\n{}', 404)
    assert key not in log.read_text()
    assert "top quark" not in log.read_text()


def test_a_log_that_cannot_be_written_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    log = AccessLog(reading)
    log.write("one")
    log.write("two")
    until(lambda: log.lost == 2 and caplog.records)
    os.close(reading)
    assert len(caplog.records) == 1
