"""POST /api/predict/batch: one look-up for all, each miss worked out once, a result or a problem for each."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from model.errors import EngineError, Overloaded
from service.app import create_app
from storage.base import Entry
from storage.records.predictions import Predictions
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key

OTHERS = [f"{ABSTRACT} Measurement {word}." for word in ("one", "two", "three", "four")]


def post(client: FlaskClient, abstracts: Any, headers: dict[str, str] | None = None, **wishes: Any) -> TestResponse:
    return client.post("/api/predict/batch", json={"abstracts": abstracts, **wishes}, headers=headers)


def counts(response: TestResponse) -> tuple[int, ...]:
    body = response.get_json()
    return tuple(body[name] for name in ("hits", "misses", "collapsed", "problems"))


def test_results_come_in_order_and_as_single_requests_have_them(client: FlaskClient) -> None:
    response = post(client, OTHERS)
    assert response.status_code == 200
    assert counts(response) == (0, 4, 0, 0)
    singles = [client.post("/api/predict/", json={"abstract": text}).get_json() for text in OTHERS]
    assert [{**result, "cached": True} for result in response.get_json()["results"]] == singles


def test_the_store_is_asked_once_for_all(
    client: FlaskClient, services: TestServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(client, OTHERS)
    services.memory.clear()
    asked: list[int] = []
    get_many = services.store.get_many

    def counted(namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        asked.append(len(keys))
        return get_many(namespace, keys)

    monkeypatch.setattr(services.store, "get_many", counted)
    monkeypatch.delattr(Predictions, "get")
    assert counts(post(client, OTHERS)) == (4, 0, 0, 0)
    assert asked == [4]


def test_what_is_in_it_twice_is_worked_out_once(client: FlaskClient, services: TestServices) -> None:
    response = post(client, [OTHERS[0], OTHERS[1], f" {OTHERS[0]} "])
    first, _, third = response.get_json()["results"]
    assert counts(response) == (0, 2, 1, 0)
    assert first == third
    assert len(services.engine.texts) == 2


def test_a_miss_joins_the_flight_of_another_request(client: FlaskClient, services: TestServices) -> None:
    services.engine.gate.clear()
    single = threading.Thread(target=lambda: client.post("/api/predict/", json={"abstract": OTHERS[0]}))
    single.start()
    assert services.engine.entered.acquire(timeout=10)
    answers: list[TestResponse] = []
    batch = threading.Thread(target=lambda: answers.append(post(client, OTHERS[:1])))
    batch.start()
    batch.join(0.1)
    services.engine.gate.set()
    single.join(10)
    batch.join(10)
    assert answers[0].get_json()["results"][0]["id"]
    assert counts(answers[0])[1] == 0
    assert len(services.engine.texts) == 1


def test_a_bad_item_has_its_problem_in_its_place(client: FlaskClient) -> None:
    response = post(client, [OTHERS[0], "short", None, 5, "1234567890 " * 9, OTHERS[1]])
    results = response.get_json()["results"]
    assert response.status_code == 200
    assert [result.get("problem", {}).get("status") for result in results] == [None, 400, 400, 400, 400, None]
    assert list(results[1]["problem"]["errors"]) == ["abstract"]
    assert "no words" in str(results[4]["problem"])
    assert counts(response) == (0, 2, 0, 4)


def test_an_element_may_be_an_object_whose_id_comes_back(client: FlaskClient) -> None:
    asked = [
        {"abstract": OTHERS[0], "id": "a", "title": "T"},
        OTHERS[1],
        {"abstract": OTHERS[2], "id": 7, "top_k": 1, "threshold": 0},
        {"abstract": "short", "id": "c"},
        {"abstract": OTHERS[3], "id": {}},
        {"abstract": OTHERS[3], "doi": "x", "id": "e"},
        {"id": None, "title": None, "abstract": OTHERS[3]},
    ]
    results = post(client, asked, top_k=3, threshold=0).get_json()["results"]
    assert [result.get("input_id") for result in results] == ["a", None, "7", "c", None, "e", None]
    assert [list(result.get("problem", {}).get("errors", {})) for result in results[3:]] == [
        ["abstract"],
        ["id"],
        ["doi"],
        [],
    ]
    assert [len(results[i]["categories"]) for i in (0, 2)] == [3, 1]


def test_a_failure_of_the_model_concerns_one_item(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures.append(EngineError("the engine's own words"))
    response = post(client, OTHERS[:2])
    first, second = response.get_json()["results"]
    assert (first["problem"]["status"], "problem" in second) == (500, False)
    assert "own words" not in response.text


def test_an_outage_of_the_store_only_costs_the_look_up(client: FlaskClient, services: TestServices) -> None:
    client.get("/api/models")
    services.store.down = True
    assert counts(post(client, OTHERS)) == (0, 4, 0, 0)


def test_the_model_and_the_wishes_are_heeded(client: FlaskClient) -> None:
    response = post(client, OTHERS[:1], model="arxiv-mini", threshold=0, top_k=2)
    assert len(response.get_json()["results"][0]["categories"]) == 2
    assert post(client, OTHERS[:1], model="nonsense").status_code == 404
    assert post(client, OTHERS[:1], model="scibert-multi").status_code == 503


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "abstracts"),
        ({"abstracts": []}, "abstracts"),
        ({"abstracts": ABSTRACT}, "abstracts"),
        ({"abstracts": None}, "abstracts"),
        ({"abstracts": [ABSTRACT] * 65}, "abstracts"),
        ({"abstracts": [ABSTRACT], "abstract": ABSTRACT}, "abstract"),
        ({"abstracts": [ABSTRACT], "model": 5}, "model"),
        ({"abstracts": [ABSTRACT], "top_k": 0}, "top_k"),
    ],
)
def test_a_request_of_the_wrong_form(client: FlaskClient, services: TestServices, body: Any, field: str) -> None:
    response = client.post("/api/predict/batch", json=body)
    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]
    assert services.engine.texts == []


def test_a_full_batch_of_the_longest_abstracts_fits(make_services: MakeServices) -> None:
    services = make_services(BATCH_MAX="8")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    longest = ["word " + "\U0001d54f" * 4995] * 8
    assert counts(post(client, longest)) == (0, 1, 7, 0)
    assert client.post("/api/predict/batch", data=b"x" * (8 * 64 * 1024 + 1)).status_code == 413


def test_directives_hold_for_every_item(client: FlaskClient, services: TestServices) -> None:
    post(client, OTHERS[:1])
    cached_only = post(client, OTHERS[:2], {"Cache-Control": "only-if-cached"}).get_json()["results"]
    assert [result.get("problem", {}).get("status") for result in cached_only] == [None, 504]
    assert counts(post(client, OTHERS[:1], {"Cache-Control": "no-cache"})) == (0, 1, 0, 0)
    assert counts(post(client, OTHERS[:1], {"Cache-Control": "max-age=0"})) == (0, 1, 0, 0)
    post(client, OTHERS[2:3], {"Cache-Control": "no-store"})
    assert services.stored() == 1


def test_misses_cost_model_runs_and_hits_do_not(make_services: MakeServices) -> None:
    services = make_services(LIMIT_INFERENCE="2 per hour")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    post(client, OTHERS[:1])
    response = post(client, [OTHERS[1], OTHERS[2], OTHERS[0], OTHERS[3]])
    statuses = [result.get("problem", {}).get("status") for result in response.get_json()["results"]]
    assert statuses == [None, 429, None, 429]
    assert response.headers["RateLimit"].count('"inference"') == 1
    assert len(services.engine.texts) == 2


def test_each_item_counts_as_a_request(make_services: MakeServices) -> None:
    services = make_services(LIMIT_KEY="5 per hour")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    assert '"key";r=1' in post(client, OTHERS).headers["RateLimit"]
    refused = post(client, OTHERS[:2])
    assert (refused.status_code, refused.headers["RateLimit"].count('"key"')) == (429, 1)


def test_an_overloaded_model_is_not_asked_again_for_the_rest(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures.append(Overloaded("too many texts wait", retry_after=1.0))
    response = post(client, OTHERS)
    assert [result["problem"]["status"] for result in response.get_json()["results"]] == [503] * 4
    assert len(services.engine.texts) == 1
