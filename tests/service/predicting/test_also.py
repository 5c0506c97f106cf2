"""Several models in one request: each answers as it would alone, and those that share an encoder run it once."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import load_settings
from model.engines.litert import LiteRTEngine
from service.app import create_app
from service.bootstrap import Services
from service.cli import register
from service.predicting.singleflight import SingleFlight
from tests.model.engines.test_heads import CATEGORIES, write_head
from tests.service.conftest import ABSTRACT, MakeServices, write_artifact
from tests.service.pdf.test_pdf_api import PAPER, TEXT
from tests.service.waiting import until

MINI, SINGLE, FINE = "arxiv-mini", "arxiv-mini-single", "fine"
OTHER = "We prove that every finitely generated group acting freely on a tree is free, and bound its rank."

Open = Callable[..., FlaskClient]


class Runs:
    """Counts the graph's runs; can hold them up until `gate` is true."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.gate: Callable[[], object] = lambda: True
        scores = LiteRTEngine.scores

        def counted(engine: LiteRTEngine, ids: Sequence[int]) -> tuple[float, ...]:
            self.count += 1
            until(self.gate)
            return scores(engine, ids)

        monkeypatch.setattr(LiteRTEngine, "scores", counted)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a head of all categories on the shipped encoder."""
    folder = tmp_path_factory.mktemp("models")
    write_head(folder / FINE)
    return folder


@pytest.fixture
def open_client(models: Path, tmp_path: Path) -> Iterator[Open]:
    """A client of a service with the shipped models and that head."""
    opened: list[Services] = []

    def make(**settings: str) -> FlaskClient:
        variables = {"STORE_URL": "memory://", "MODEL_DIR": str(models), "DATA_DIR": str(tmp_path), "THREADS": "1"}
        variables |= {"LOG_LEVEL": "WARNING", **settings}
        services = Services(load_settings({f"ABSTRACTS_{name}": value for name, value in variables.items()}))
        opened.append(services)
        client = create_app(services=services).test_client()
        client.environ_base["HTTP_X_API_KEY"] = services.keys.create("me", ["predict", "read"])[1]
        return client

    yield make
    for services in opened:
        services.close()


@pytest.fixture
def client(open_client: Open) -> FlaskClient:
    return open_client()


def ask(client: FlaskClient, model: str | None = None, abstract: str = ABSTRACT, **more: Any) -> TestResponse:
    path = "/api/predict/" if model is None else f"/api/models/{model}/predict"
    headers = more.pop("headers", None)
    return client.post(path, json={"abstract": abstract, **more}, headers=headers)


def test_each_answers_as_it_would_alone_after_one_run_of_their_encoder(open_client: Open, runs: Runs) -> None:
    together, apart = open_client(), open_client()
    body = ask(together, threshold=0.2, also=[SINGLE, FINE]).get_json()
    assert runs.count == 1
    alone = [ask(apart, name, threshold=0.2).get_json() for name in (MINI, SINGLE, FINE)]
    assert runs.count == 4
    assert [{key: item for key, item in body.items() if key != "also"}, *body["also"]] == alone
    assert [item["model"] for item in alone] == [MINI, SINGLE, FINE]


def test_each_is_stored_and_found_by_itself(client: FlaskClient, runs: Runs) -> None:
    first = ask(client, also=[FINE])
    assert first.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"
    assert "ETag" not in first.headers
    again = ask(client, also=[FINE])
    assert (again.headers["Cache-Status"], again.headers["Age"]) == ("abstracts; hit", "0")
    assert [again.get_json()["cached"], again.get_json()["also"][0]["cached"]] == [True, True]
    alone = ask(client, FINE)
    assert alone.get_json()["cached"] is True
    assert alone.get_json()["id"] == again.get_json()["also"][0]["id"]
    assert client.get(f"/api/predictions/{alone.get_json()['id']}").get_json()["model"] == FINE
    assert runs.count == 1


@pytest.mark.parametrize("first", [MINI, SINGLE, FINE])
def test_the_order_makes_no_difference(client: FlaskClient, open_client: Open, runs: Runs, first: str) -> None:
    others = [name for name in (FINE, SINGLE, MINI) if name != first]
    body = ask(client, first, also=others).get_json()
    assert runs.count == 1
    apart = open_client()
    for item in (body, *body["also"]):
        assert item["predictions"] == ask(apart, item["model"]).get_json()["predictions"]


def test_only_what_is_not_stored_is_worked_out(client: FlaskClient, runs: Runs) -> None:
    ask(client)
    response = ask(client, also=[SINGLE, FINE])
    body = response.get_json()
    assert [item["cached"] for item in (body, *body["also"])] == [True, False, False]
    assert response.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"
    assert runs.count == 2


def test_one_run_is_charged_and_counted(open_client: Open) -> None:
    client = open_client(LIMIT_INFERENCE="2/day")
    assert ask(client, also=[SINGLE, FINE]).status_code == 200
    assert ask(client, abstract=OTHER).status_code == 200
    refused = ask(client, abstract=OTHER, also=[FINE])
    assert refused.status_code == 200
    assert refused.get_json()["also"][0]["problem"]["status"] == 429
    assert ask(client, abstract=f"Again: {OTHER}", also=[FINE]).status_code == 429
    metrics = client.get("/metrics").get_data(as_text=True)
    assert f'abstracts_model_seconds_count{{model="{MINI}"}} 2.0' in metrics
    assert f'abstracts_model_seconds_count{{model="{FINE}"}}' not in metrics
    assert f'abstracts_answers_total{{model="{FINE}",outcome="miss",source="model"}} 1.0' in metrics


def test_models_that_share_nothing_run_and_are_charged_each(make_services: MakeServices, model_dir: Path) -> None:
    write_artifact(model_dir, "second")
    services = make_services(LIMIT_INFERENCE="2/day")
    client = create_app(services=services).test_client()
    client.environ_base["HTTP_X_API_KEY"] = services.keys.create("me", ["predict"])[1]
    assert ask(client, also=["second"]).get_json()["also"][0]["model"] == "second"
    assert services.engine.texts == [ABSTRACT] * 2
    assert ask(client, abstract=OTHER).status_code == 429


def test_one_that_cannot_answer_has_a_problem_in_its_place(client: FlaskClient) -> None:
    response = ask(client, also=["nonsense", FINE, "scibert-multi"])
    unknown, fine, missing = response.get_json()["also"]
    assert response.status_code == 200
    assert (unknown["problem"]["status"], unknown["problem"]["type"]) == (404, "/problems/unknown-model")
    assert fine["model"] == FINE
    assert "model install scibert-multi" in missing["problem"]["remedy"]


def test_the_first_model_s_problem_is_the_response_s(client: FlaskClient, runs: Runs) -> None:
    assert ask(client, "nonsense", also=[FINE]).status_code == 404
    assert ask(client, abstract="short", also=[FINE]).status_code == 400
    assert runs.count == 0


@pytest.mark.parametrize("also", ["fine", {}, [1], [None], None, [FINE] * 5])
def test_what_is_no_list_of_names_is_refused(client: FlaskClient, also: object) -> None:
    response = ask(client, also=also)
    assert response.status_code == 400
    assert all(name.startswith("also") for name in response.get_json()["errors"])


def test_no_cache_runs_it_once_more_and_only_if_cached_not_at_all(client: FlaskClient, runs: Runs) -> None:
    ask(client)
    cached = ask(client, also=[FINE], headers={"Cache-Control": "only-if-cached"}).get_json()
    assert (cached["cached"], cached["also"][0]["problem"]["status"]) == (True, 504)
    unstored = ask(client, also=[FINE], headers={"Cache-Control": "no-store"})
    assert unstored.headers["Cache-Status"] == "abstracts; fwd=uri-miss"
    assert runs.count == 2
    anew = ask(client, also=[FINE, SINGLE], headers={"Cache-Control": "no-cache"}).get_json()
    assert [item["cached"] for item in (anew, *anew["also"])] == [False] * 3
    assert runs.count == 3


def test_requests_at_once_share_the_run(client: FlaskClient, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[object] = []
    run = SingleFlight.run

    def noted(flights: SingleFlight[Any], *args: Any) -> Any:
        entered.append(args[0])
        return run(flights, *args)

    monkeypatch.setattr(SingleFlight, "run", noted)
    runs.gate = lambda: len(entered) >= 4
    with ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(lambda _: ask(client, also=[FINE]).get_json(), range(4)))
    assert runs.count == 1
    assert len({body["also"][0]["id"] for body in bodies}) == 1


def test_a_batch_asks_for_all_or_for_each(client: FlaskClient, runs: Runs) -> None:
    abstracts = [
        ABSTRACT,
        {"abstract": OTHER, "also": [SINGLE, FINE]},
        {"abstract": f"{OTHER} Again.", "also": []},
        "no",
    ]
    body = client.post("/api/predict/batch", json={"abstracts": abstracts, "also": [FINE]}).get_json()
    found = [[other["model"] for other in item.get("also", ())] for item in body["results"]]
    assert found == [[FINE], [SINGLE, FINE], [], []]
    assert (runs.count, body["misses"], body["problems"]) == (3, 3, 1)
    wrong = client.post("/api/predict/batch", json={"abstracts": [{"abstract": OTHER, "also": FINE}]}).get_json()
    assert wrong["results"][0]["problem"]["errors"].keys() == {"also"}


def lines(client: FlaskClient, accepted: TestResponse) -> list[dict[str, Any]]:
    job = accepted.headers["Location"]
    until(lambda: client.get(job).get_json()["state"] == "done")
    return [json.loads(line) for line in client.get(f"{job}/results").get_data(as_text=True).splitlines()]


def test_a_job_asks_them_too(client: FlaskClient, runs: Runs) -> None:
    abstracts = [ABSTRACT, {"abstract": OTHER, "also": [SINGLE]}]
    listed = client.post("/api/jobs", json={"abstracts": abstracts, "also": [FINE]})
    assert listed.get_json()["also"] == [FINE]
    assert [[other["model"] for other in line["also"]] for line in lines(client, listed)] == [[FINE], [SINGLE]]
    file = json.dumps({"abstract": f"{OTHER} Again."}).encode()
    sent = client.post(f"/api/jobs?also={FINE}&also={SINGLE}", data=file, content_type="application/x-ndjson")
    assert [other["model"] for other in lines(client, sent)[0]["also"]] == [FINE, SINGLE]
    later = ask(client, abstract=f"{OTHER} Later.", also=[FINE], headers={"Prefer": "respond-async"})
    assert [other["model"] for other in lines(client, later)[0]["also"]] == [FINE]
    assert runs.count == 4
    assert "also" not in client.post("/api/jobs", json={"abstracts": [ABSTRACT]}).get_json()


def test_a_job_for_a_model_that_is_not_there_is_refused(client: FlaskClient) -> None:
    assert client.post("/api/jobs", json={"abstracts": [ABSTRACT], "also": ["nonsense"]}).status_code == 404
    assert client.post("/api/jobs", json={"abstracts": [ABSTRACT], "also": ["bert-multi"]}).status_code == 503


def test_a_job_waits_when_a_further_model_may_not_be_run(open_client: Open) -> None:
    client = open_client(LIMIT_INFERENCE="1/day")
    ask(client)
    job = client.post("/api/jobs", json={"abstracts": [ABSTRACT], "also": [FINE]}).headers["Location"]
    until(lambda: client.get(job).get_json()["delayed_until"])
    assert client.get(job).get_json()["done"] == 0


def test_a_paper_takes_a_part_for_each(client: FlaskClient, runs: Runs) -> None:
    data = {"file": (io.BytesIO(PAPER), "paper.pdf"), "also": [SINGLE, FINE]}
    body = client.post("/api/predict/pdf", data=data).get_json()
    assert body["abstract"] == TEXT
    assert [other["model"] for other in body["also"]] == [SINGLE, FINE]
    assert all("abstract" not in other for other in body["also"])
    assert runs.count == 1


def test_predict_prints_them_and_goes_on_with_a_table(open_client: Open, tmp_path: Path, runs: Runs) -> None:
    app = open_client().application
    register(app)
    file, table = tmp_path / "abstracts.jsonl", tmp_path / "out.csv"
    file.write_text(json.dumps({"abstract": ABSTRACT}) + "\n")

    def run(*args: object) -> Any:
        return app.test_cli_runner().invoke(args=["predict", str(file), *map(str, args)])

    printed = json.loads(run("--also", SINGLE, "--also", FINE).stdout)
    assert [other["model"] for other in printed["also"]] == [SINGLE, FINE]
    assert runs.count == 1
    assert run("--also", FINE, "--output", table).exit_code == 0
    before = table.read_text()
    (row,) = csv.DictReader(before.splitlines())
    other = printed["also"][1]
    assert float(row[f"{FINE} score cs.LG"]) == other["predictions"][0][CATEGORIES.index("cs.LG")]
    assert row[f"{FINE} categories"] == ";".join(category["label"] for category in other["categories"])
    assert run("--also", FINE, "--output", table).exit_code == 0
    assert table.read_text() == before
    assert run("--output", table).exit_code == 2  # its columns are others
    table.write_text(before.replace(row[f"{FINE} model_digest"], "sha256:other"))
    assert "another model (sha256:other)" in run("--also", FINE, "--output", table).output
    assert "nonsense" in run("--also", "nonsense").output
