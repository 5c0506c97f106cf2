"""Answers that know what they are worth: what the model read of a text, and texts that its scores do not hold for."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from tests.service.conftest import ABSTRACT, TestServices, with_key

GERMAN = (
    "Wir messen die Masse des Top-Quarks in Proton-Proton-Kollisionen bei einer Schwerpunktsenergie von 13 TeV und "
    "vergleichen das Ergebnis mit der Vorhersage des Standardmodells der Teilchenphysik."
)
WITHDRAWN = "This paper has been withdrawn by the authors due to a crucial error in the proof of the main theorem."


def ask(client: FlaskClient, text: str, query: str = "") -> Any:
    return client.post(f"/api/predict/{query}", json={"abstract": text})


def test_an_ordinary_abstract_is_answered_without_ado(client: FlaskClient) -> None:
    body = ask(client, ABSTRACT).get_json()
    assert {"truncated", "tokens", "tokens_read", "warnings"} & set(body) == set()


@pytest.mark.parametrize(("text", "code"), [(GERMAN, "not-english"), (WITHDRAWN, "placeholder")])
def test_scores_that_mean_little_come_with_a_warning(client: FlaskClient, text: str, code: str) -> None:
    first, again = ask(client, text).get_json(), ask(client, text).get_json()
    assert [warning["code"] for warning in first["warnings"]] == [code]
    assert first["warnings"][0]["detail"].endswith(".")
    assert again == {**first, "cached": True}


def test_the_store_keeps_what_was_said_of_a_text(client: FlaskClient, services: TestServices) -> None:
    first = ask(client, GERMAN).get_json()
    services.memory.clear()
    assert ask(client, GERMAN).get_json()["warnings"] == first["warnings"]
    assert client.get(f"/api/predictions/{first['id']}").get_json()["warnings"] == first["warnings"]


def test_strict_makes_a_problem_of_a_warning(client: FlaskClient) -> None:
    problem = ask(client, GERMAN, "?strict=true")
    assert (problem.status_code, problem.get_json()["type"]) == (422, "/problems/doubtful-abstract")
    assert problem.get_json()["warnings"][0]["code"] == "not-english"
    assert ask(client, ABSTRACT, "?strict=true").status_code == 200
    assert ask(client, GERMAN, "?strict=false").status_code == 200
    assert ask(client, GERMAN, "?strict=perhaps").get_json()["errors"].keys() == {"strict"}


def test_strict_in_a_batch_is_for_each_of_it(client: FlaskClient) -> None:
    body = {"abstracts": [ABSTRACT, GERMAN]}
    good, bad = client.post("/api/predict/batch?strict=1", json=body).get_json()["results"]
    assert "categories" in good
    assert bad["problem"]["type"] == "/problems/doubtful-abstract"
    assert "warnings" in client.post("/api/predict/batch", json=body).get_json()["results"][1]


def test_a_text_that_was_read_in_part_says_so(services: TestServices, key: str) -> None:
    services.engine.tokens = 300
    client = with_key(create_app(services=services), key)
    body = ask(client, ABSTRACT).get_json()
    assert (body["truncated"], body["tokens"], body["tokens_read"]) == (True, 300, 256)
    services.memory.clear()
    assert ask(client, ABSTRACT).get_json() == {**body, "cached": True}
