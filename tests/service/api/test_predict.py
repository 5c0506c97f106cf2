"""POST /api/predict/ and /api/models/{model}/predict."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from model.errors import EngineError, Overloaded
from service.app import Application, create_app
from tests.service.conftest import ABSTRACT, LABELS, THRESHOLD, TestServices, with_key, write_artifact


def test_a_miss_runs_the_model_and_is_stored(client: FlaskClient, services: TestServices) -> None:
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    body = response.get_json()
    assert response.status_code == 200
    assert list(body) == ["id", "model", "model_digest", "labels", "predictions", "categories", "cached"]
    assert re.fullmatch("[0-9a-f]{64}", body["id"])
    assert body["model"] == "arxiv-mini"
    assert body["model_digest"].startswith("sha256:")
    assert body["labels"] == list(LABELS)
    assert [len(row) for row in body["predictions"]] == [len(LABELS)]
    assert body["cached"] is False
    assert response.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"
    assert "Age" not in response.headers
    assert services.stored() == 1


def test_the_second_time_is_a_hit(client: FlaskClient, services: TestServices) -> None:
    first = client.post("/api/predict/", json={"abstract": ABSTRACT})
    second = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert second.get_json() == {**first.get_json(), "cached": True}
    assert second.headers["Cache-Status"] == "abstracts; hit"
    assert second.headers["Age"] == "0"
    assert second.headers["ETag"] == first.headers["ETag"]
    assert len(services.engine.texts) == 1


def test_a_hit_survives_the_loss_of_memory(client: FlaskClient, services: TestServices) -> None:
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.memory.clear()
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert response.headers["Cache-Status"] == "abstracts; hit"
    assert len(services.engine.texts) == 1


def test_abstracts_that_normalise_alike_share_an_entry(client: FlaskClient, services: TestServices) -> None:
    first = client.post("/api/predict/", json={"abstract": ABSTRACT})
    second = client.post("/api/predict", json={"abstract": f"\n {ABSTRACT.replace(' ', chr(10))} https://a.org/b "})
    assert second.get_json()["id"] == first.get_json()["id"]
    assert services.engine.texts == [ABSTRACT]


def test_threshold_and_top_k_are_applied_on_read(client: FlaskClient, services: TestServices) -> None:
    def categories(**wish: float) -> list[float]:
        body = client.post("/api/predict/", json={"abstract": ABSTRACT, **wish}).get_json()
        return [category["score"] for category in body["categories"]]

    everything = categories(threshold=0)
    assert everything == sorted(everything, reverse=True)
    assert len(everything) == len(LABELS)
    assert categories() == [score for score in everything if score >= THRESHOLD]
    assert categories(threshold=everything[1]) == everything[:2]
    assert categories(threshold=0, top_k=1) == everything[:1]
    assert categories(threshold=0, top_k=99) == everything
    assert len(services.engine.texts) == 1


def test_letters_of_any_script_are_welcome(client: FlaskClient) -> None:
    response = client.post(
        "/api/predict/", json={"abstract": "Измерена масса топ-кварка в столкновениях протонов при 13 ТэВ."}
    )
    assert response.status_code == 200


def test_a_key_in_x_api_key_will_do(app: Application, key: str) -> None:
    response = app.test_client().post("/api/predict/", json={"abstract": ABSTRACT}, headers={"X-API-Key": key})
    assert response.status_code == 200


def test_a_named_model_has_its_own_entries(services: TestServices, key: str, model_dir: Path) -> None:
    write_artifact(model_dir, "other", threshold=0.9)
    client = with_key(create_app(services=services), key)
    default = client.post("/api/predict/", json={"abstract": ABSTRACT}).get_json()
    named = client.post("/api/models/arxiv-mini/predict", json={"abstract": ABSTRACT}).get_json()
    other = client.post("/api/models/other/predict", json={"abstract": ABSTRACT}).get_json()
    assert named == {**default, "cached": True}
    assert other["model"] == "other"
    assert other["id"] != default["id"]


def test_a_model_that_is_not_installed_says_what_installs_it(client: FlaskClient) -> None:
    response = client.post("/api/models/scibert-multi/predict", json={"abstract": ABSTRACT})
    assert response.status_code == 503
    assert response.get_json()["type"] == "/problems/model-not-ready"
    assert "model install scibert-multi" in response.get_json()["remedy"]


def test_a_full_queue_says_when_to_come_back(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures.append(Overloaded("too many texts wait", retry_after=5.0))
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert services.stored() == 0


def test_a_failure_of_the_model_is_not_cached(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures.append(EngineError("the engine's own words"))
    failed = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert failed.status_code == 500
    assert "own words" not in failed.text
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200


def test_stages_are_timed(client: FlaskClient) -> None:
    stages = client.post("/api/predict/", json={"abstract": ABSTRACT}).headers["Server-Timing"]
    assert re.findall(r"(\w+);dur=", stages) == ["auth", "store", "queue", "model"]


@pytest.mark.parametrize(
    ("header", "status", "cache_status"),
    [
        ("no-cache", 200, "abstracts; fwd=request; stored"),
        ("no-store", 200, "abstracts; hit"),
        ("max-age=0", 200, "abstracts; fwd=uri-miss; stored"),
        ("max-age=60", 200, "abstracts; hit"),
        ("only-if-cached", 200, "abstracts; hit"),
    ],
)
def test_cache_directives_on_something_stored(client: FlaskClient, header: str, status: int, cache_status: str) -> None:
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    response = client.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"Cache-Control": header})
    assert (response.status_code, response.headers["Cache-Status"]) == (status, cache_status)


def test_no_store_leaves_nothing_behind(client: FlaskClient, services: TestServices) -> None:
    response = client.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"Cache-Control": "no-store"})
    assert response.headers["Cache-Status"] == "abstracts; fwd=uri-miss"
    assert services.stored() == 0
    assert client.get(f"/api/predictions/{response.get_json()['id']}").status_code == 404


def test_only_if_cached_does_not_run_the_model(client: FlaskClient, services: TestServices) -> None:
    response = client.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"Cache-Control": "only-if-cached"})
    assert response.status_code == 504
    assert services.engine.texts == []


def test_a_title_may_come_with_it_and_is_ignored_by_a_model_that_does_not_read_it(client: FlaskClient) -> None:
    plain = client.post("/api/predict/", json={"abstract": ABSTRACT}).get_json()
    titled = client.post("/api/predict/", json={"abstract": ABSTRACT, "title": "A title"})
    assert titled.get_json() == {**plain, "cached": True}
    assert client.get("/api/models/arxiv-mini").get_json()["reads"] == ["abstract"]
    assert client.post("/api/predict/", json={"abstract": ABSTRACT, "title": 5}).status_code == 400
