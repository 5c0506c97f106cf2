"""GET /api/models: what there is, and why something is not ready."""

from pathlib import Path

from flask.testing import FlaskClient

from model.artifact import WEIGHTS
from service.app import create_app
from tests.service.conftest import LABELS, THRESHOLD, TestServices, with_key, write_artifact


def test_the_default_and_what_can_be_installed_are_listed(client: FlaskClient) -> None:
    body = client.get("/api/models").get_json()
    states = {model["name"]: model["state"] for model in body["models"]}
    assert body["default"] == "arxiv-mini"
    assert states["arxiv-mini"] == "ready"
    assert {states[name] for name in ("scibert-multi", "scibert-single", "bert-multi", "bert-single")} == {
        "not installed"
    }


def test_a_ready_model_tells_how_it_answers(client: FlaskClient) -> None:
    body = client.get("/api/models/arxiv-mini").get_json()
    assert body["labels"] == list(LABELS)
    assert body["threshold"] == THRESHOLD
    assert body["digest"].startswith("sha256:")
    assert body["default"] is True
    assert "remedy" not in body


def test_labels_have_names_addresses_and_groups(services: TestServices, key: str, model_dir: Path) -> None:
    about = {"cs": {"name": "Computer Science", "url": "https://arxiv.org/list/cs/recent"}, "all": {"name": "All"}}
    write_artifact(model_dir, "named", about=about, groups={"cs": "all"})
    body = with_key(create_app(services=services), key).get("/api/models/named").get_json()
    assert body["about"] == {"cs": {**about["cs"], "group": "all"}, "all": {"name": "All"}}


def test_one_that_is_not_installed_tells_what_installs_it(client: FlaskClient) -> None:
    body = client.get("/api/models/scibert-multi").get_json()
    assert body["state"] == "not installed"
    assert "abstracts model" in body["remedy"]


def test_one_that_is_untrained_or_damaged_is_told_apart(services: TestServices, key: str, model_dir: Path) -> None:
    write_artifact(model_dir, "raw", trained=False)
    (write_artifact(model_dir, "broken") / WEIGHTS).write_bytes(b"altered")
    client = with_key(create_app(services=services), key)
    states = {name: client.get(f"/api/models/{name}").get_json()["state"] for name in ("raw", "broken")}
    assert states == {"raw": "untrained", "broken": "damaged"}


def test_an_unknown_one_is_not_found(client: FlaskClient) -> None:
    response = client.get("/api/models/nonsense")
    assert response.status_code == 404
    assert "arxiv-mini" in response.get_json()["detail"]
