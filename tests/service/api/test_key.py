"""GET /api/key: what a holder sees of its own key."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from tests.service.conftest import ABSTRACT, TestServices, with_key

NOTHING = {"requests": 0, "hits": 0, "misses": 0, "model_seconds": 0.0, "pdfs": 0}


def test_it_says_all_of_the_key_but_its_secret(services: TestServices) -> None:
    expires = datetime.now(UTC) + timedelta(days=90)
    key, text = services.keys.create("me", ["read"], expires, limit="5/minute", limit_inference="2/hour; 9/day")
    response = with_key(create_app(services=services), text).get("/api/key")
    body = response.get_json()
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert response.headers["Vary"] == "Authorization, X-API-Key"
    assert {name: body[name] for name in ("id", "name", "scopes", "created_at", "expires_at")} == {
        "id": key.id,
        "name": "me",
        "scopes": ["read"],
        "created_at": key.created_at.isoformat(),
        "expires_at": expires.isoformat(),
    }
    assert [{**limit, "resets_in": None} for limit in body["limits"]] == [
        {"policy": "key", "quota": 5, "seconds": 60, "remaining": 4, "resets_in": None},
        {"policy": "inference-3600s", "quota": 2, "seconds": 3600, "remaining": 2, "resets_in": None},
        {"policy": "inference-86400s", "quota": 9, "seconds": 86400, "remaining": 9, "resets_in": None},
    ]
    assert all(0 < limit["resets_in"] <= limit["seconds"] for limit in body["limits"])
    assert key.secret_hash not in response.text
    assert text not in response.text


@pytest.mark.parametrize("scopes", [["read"], ["predict"], ["predict", "read"]])
def test_any_key_may_ask_and_none_may_not(services: TestServices, scopes: list[str]) -> None:
    app = create_app(services=services)
    body = with_key(app, services.keys.create("me", scopes)[1]).get("/api/key").get_json()
    assert (body["scopes"], body["expires_at"]) == (scopes, None)
    assert app.test_client().get("/api/key").status_code == 401


def test_it_counts_what_is_left_and_what_was_used(client: FlaskClient, services: TestServices) -> None:
    for _ in range(2):
        client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.meter.write()
    body = client.get("/api/key").get_json()
    today = datetime.now(UTC).date()
    assert [limit["remaining"] for limit in body["limits"]] == [5997, 2999]
    assert [day["day"] for day in body["usage"]] == [(today - timedelta(days=n)).isoformat() for n in range(6, -1, -1)]
    assert body["usage"][-1] == {
        "day": today.isoformat(),
        "requests": 2,
        "hits": 1,
        "misses": 1,
        "model_seconds": 0.002,
        "pdfs": 0,
    }
    assert all({**day, "day": ""} == {"day": "", **NOTHING} for day in body["usage"][:-1])


def test_an_outage_is_said(client: FlaskClient, services: TestServices) -> None:
    client.get("/api/models")  # from now on the key is known
    services.store.down = True
    response = client.get("/api/key")
    assert (response.status_code, response.get_json()["type"]) == (503, "/problems/store-unavailable")
