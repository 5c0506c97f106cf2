"""GET /api/predictions/{id}: what is stored, and conditional requests for it."""

import pytest
from flask.testing import FlaskClient

from service.app import Application
from tests.service.conftest import ABSTRACT, TestServices, with_key


@pytest.fixture
def stored(client: FlaskClient) -> dict[str, object]:
    body: dict[str, object] = client.post("/api/predict/", json={"abstract": ABSTRACT}).get_json()
    return body


def test_a_stored_prediction_is_as_it_was_answered(client: FlaskClient, stored: dict[str, object]) -> None:
    response = client.get(f"/api/predictions/{stored['id']}")
    assert response.get_json() == {**stored, "cached": True}
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in response.headers["Vary"]


def test_it_is_found_in_the_store_too(client: FlaskClient, services: TestServices, stored: dict[str, object]) -> None:
    services.memory.clear()
    assert client.get(f"/api/predictions/{stored['id']}").get_json() == {**stored, "cached": True}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_etag_makes_it_not_modified(client: FlaskClient, stored: dict[str, object], method: str) -> None:
    path = f"/api/predictions/{stored['id']}"
    etag = client.get(path).headers["ETag"]
    response = client.open(path, method=method, headers={"If-None-Match": etag})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == etag
    assert client.open(path, method=method, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_etag_of_the_post_will_do(client: FlaskClient) -> None:
    posted = client.post("/api/predict/", json={"abstract": ABSTRACT})
    path = f"/api/predictions/{posted.get_json()['id']}"
    assert client.get(path, headers={"If-None-Match": posted.headers["ETag"]}).status_code == 304


def test_head_has_the_headers_and_no_body(client: FlaskClient, stored: dict[str, object]) -> None:
    path = f"/api/predictions/{stored['id']}"
    head, get = client.head(path), client.get(path)
    assert head.data == b""
    assert head.headers["Content-Length"] == str(len(get.data))
    assert head.headers["ETag"] == get.headers["ETag"]


def test_threshold_and_top_k_make_another_representation(client: FlaskClient, stored: dict[str, object]) -> None:
    path = f"/api/predictions/{stored['id']}"
    plain, chosen = client.get(path), client.get(f"{path}?threshold=0&top_k=2")
    assert len(chosen.get_json()["categories"]) == 2
    assert chosen.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize("query", ["threshold=2", "threshold=nan", "top_k=0", "top_k=x", "limit=3"])
def test_a_wrong_parameter_is_named(client: FlaskClient, stored: dict[str, object], query: str) -> None:
    response = client.get(f"/api/predictions/{stored['id']}?{query}")
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [query.split("=")[0]]


@pytest.mark.parametrize("id", ["0" * 64, "x", "..", "0" * 63 + "é", "0" * 5000])
def test_what_is_not_stored_is_not_found(client: FlaskClient, id: str) -> None:
    response = client.get(f"/api/predictions/{id}")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_a_prediction_of_an_older_artifact_is_not_found(
    client: FlaskClient, services: TestServices, stored: dict[str, object]
) -> None:
    services.memory.clear()
    object.__setattr__(services.models.get("arxiv-mini"), "digest", "sha256:newer")
    assert client.get(f"/api/predictions/{stored['id']}").status_code == 404


def test_it_needs_the_scope_read(app: Application, services: TestServices, stored: dict[str, object]) -> None:
    client = with_key(app, services.keys.create("x", ["predict"])[1])
    assert client.get(f"/api/predictions/{stored['id']}").status_code == 403
    reader = with_key(app, services.keys.create("x", ["read"])[1])
    assert reader.get(f"/api/predictions/{stored['id']}").status_code == 200
