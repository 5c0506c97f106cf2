"""Probes and metrics."""

import re
import shutil
from pathlib import Path

from flask.testing import FlaskClient

from model.artifact import HEAD, SHIPPED, WEIGHTS
from service.app import create_app
from tests.service.conftest import ABSTRACT, MakeServices, TestServices


def test_livez_touches_nothing(make_services: MakeServices) -> None:
    services = make_services()
    client = create_app(services=services).test_client()
    services.store.down = True
    calls = services.store.calls
    response = client.get("/livez")
    assert (response.status_code, response.get_json()) == (200, {"state": "live"})
    assert services.store.calls == calls


def test_ready_with_store_and_model(client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json()["state"] == "ready"
    assert response.get_json()["store"] == "up"
    assert response.get_json()["models"]["arxiv-mini"] == "ready"


def test_degraded_without_the_store(client: FlaskClient, services: TestServices) -> None:
    services.store.down = True
    response = client.get("/readyz")
    assert (response.status_code, response.get_json()["state"]) == (200, "degraded")
    services.store.down = False
    assert client.get("/readyz").get_json()["state"] == "ready"


def test_degraded_without_the_default_model(services: TestServices, model_dir: Path) -> None:
    (model_dir / "arxiv-mini" / WEIGHTS).write_bytes(b"altered")
    response = create_app(services=services).test_client().get("/readyz")
    assert (response.status_code, response.get_json()["state"]) == (200, "degraded")
    assert response.get_json()["models"]["arxiv-mini"] == "damaged"


def test_not_ready_without_a_model(services: TestServices, model_dir: Path) -> None:
    (model_dir / "arxiv-mini" / WEIGHTS).write_bytes(b"altered")
    for name in ("arxiv-mini-single", "arxiv-fine"):
        shutil.copytree(SHIPPED / name, model_dir / name)
        (model_dir / name / HEAD).write_bytes(b"altered")
    response = create_app(services=services).test_client().get("/readyz")
    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    assert response.get_json()["models"]["arxiv-mini"] == "damaged"


def metric(client: FlaskClient, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_metrics_count_requests_answers_and_the_store(client: FlaskClient, services: TestServices) -> None:
    for _ in range(3):
        client.post("/api/predict/", json={"abstract": ABSTRACT})
    client.get("/nope")
    assert metric(client, 'abstracts_requests_total{method="POST",route="/api/predict/",status="200"}') == 3
    assert metric(client, 'abstracts_requests_total{method="GET",route="",status="404"}') == 1
    answers = 'abstracts_answers_total{model="arxiv-mini",'
    assert metric(client, f'{answers}outcome="hit",source="memory"}}') == 2
    assert metric(client, f'{answers}outcome="miss",source="model"}}') == 1
    assert metric(client, 'abstracts_model_seconds_count{model="arxiv-mini"}') == 1
    assert metric(client, "abstracts_store_available") == 1
    services.store.down = True
    for _ in range(3):
        client.get("/readyz")
    assert metric(client, 'abstracts_store_errors_total{kind="reads"}') == 3
    assert metric(client, "abstracts_store_available") == 0
