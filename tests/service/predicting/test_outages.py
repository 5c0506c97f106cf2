"""The store is out: answers go on, keys in use go on, what is new and needs the store is refused."""

import pytest
from flask.testing import FlaskClient

from service.app import Application, create_app
from storage.records.predictions import Prediction
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key


def test_predictions_come_from_the_model(client: FlaskClient, services: TestServices) -> None:
    client.get("/api/models")
    services.store.down = True
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert response.status_code == 200
    assert response.headers["Cache-Status"] == "abstracts; fwd=uri-miss"
    assert response.get_json()["cached"] is False


def test_what_is_in_memory_stays_a_hit(client: FlaskClient, services: TestServices) -> None:
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.store.down = True
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert response.headers["Cache-Status"] == "abstracts; hit"
    assert client.get(f"/api/predictions/{response.get_json()['id']}").status_code == 200


def test_results_are_written_again_after_it(client: FlaskClient, services: TestServices) -> None:
    client.get("/api/models")
    services.store.down = True
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.store.down = False
    services.memory.clear()
    again = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert again.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"
    assert services.stored() == 1


def test_an_unknown_key_gets_503_and_never_401(app: Application, services: TestServices, key: str) -> None:
    services.store.down = True
    response = with_key(app, key).post("/api/predict/", json={"abstract": ABSTRACT})
    assert response.status_code == 503
    assert response.get_json()["type"] == "/problems/store-unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert services.engine.texts == []


def test_a_stored_prediction_cannot_be_read(client: FlaskClient, services: TestServices) -> None:
    client.get("/api/models")
    services.store.down = True
    assert client.get(f"/api/predictions/{'0' * 64}").status_code == 503


def test_the_service_starts_without_the_store(make_services: MakeServices) -> None:
    services = make_services()
    services.store.down = True
    client = create_app(services=services).test_client()
    assert client.get("/readyz").get_json()["state"] == "degraded"
    services.store.down = False
    _, key = services.keys.create("x", ["predict"])
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"X-API-Key": key}).status_code == 200


def test_a_corrupt_entry_is_a_miss_and_is_overwritten(client: FlaskClient, services: TestServices) -> None:
    first = client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.memory.clear()
    ((name, entry),) = services.store.scan("results")
    services.store.put("results", name, entry.value.replace(b"0.", b"x."))
    second = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert second.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"
    assert second.get_json() == first.get_json()
    ((_, mended),) = services.store.scan("results")
    assert b"x." not in mended.value


def test_a_damaged_record_is_a_problem_that_names_the_store(
    client: FlaskClient, services: TestServices, caplog: pytest.LogCaptureFixture
) -> None:
    accepted = client.post("/api/jobs", json={"abstracts": [ABSTRACT]}).get_json()
    made, text = services.keys.create("damaged", ["predict"])
    services.store.put("keys", f"key/{made.id}", b'{"name": ["x"], "scopes": "predict"}')
    services.store.put("jobs", f"head/{accepted['id']}", b"{}")
    answers = [
        client.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"Authorization": f"Bearer {text}"}),
        client.get(f"/api/jobs/{accepted['id']}"),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.get_json()["type"] == "/problems/store-unavailable"
    assert "Traceback" not in caplog.text
    assert caplog.text.count("what is stored cannot be used") == 2


def test_a_purge_is_seen_when_memory_has_aged(make_services: MakeServices) -> None:
    services = make_services(L1_TTL="0")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.predictions.purge("arxiv-mini")
    again = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert again.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"


def stored(services: TestServices) -> Prediction:
    model = services.models.get("arxiv-mini")
    found = services.predictions.get(model.key(ABSTRACT), model.name, len(model.labels))
    assert found is not None
    return found


def test_the_abstract_is_stored_only_if_it_is_wanted(make_services: MakeServices) -> None:
    for wanted, kept in (("false", None), ("true", ABSTRACT)):
        services = make_services(STORE_ABSTRACTS=wanted, RESULT_TTL="1h")
        client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
        client.post("/api/predict/", json={"abstract": ABSTRACT})
        found = stored(services)
        assert found.abstract == kept
        assert found.expires_at is not None
        assert (found.expires_at - found.created_at).total_seconds() == 3600


def test_keys_in_use_outlive_any_number_of_checks_in_an_outage(make_services: MakeServices) -> None:
    services = make_services(KEY_CACHE_TTL="0")
    app = create_app(services=services)
    record, key = services.keys.create("x", ["predict"])
    client, stranger = with_key(app, key), with_key(app, services.keys.create("y", ["predict"])[1])
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200
    services.store.down = True
    statuses = [client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code for _ in range(20)]
    assert statuses == [200] * 20
    assert stranger.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 503
    services.store.down = False
    services.keys.revoke(record.id)
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 401
