"""What is counted, and that it is what it says."""

import io
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from model.errors import Overloaded
from service.app import create_app
from service.jobs.backlog import LOOK_EVERY, Backlog
from service.pdf.extract import Extractor
from service.telemetry.metrics import Metrics
from storage.records import listings
from storage.records.chunks import Counts
from storage.records.jobs import CHUNK
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key
from tests.service.front.test_server import Server
from tests.service.pdf.test_extract import PAPER
from tests.service.telemetry.test_shared import scrape
from tests.service.waiting import until


def value(metrics: Metrics, sample: str) -> float:
    """What a scrape says."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    assert found, sample
    return float(found[1])


def refusals(services: TestServices) -> dict[str, float]:
    """Those that there were, by limit."""
    text = services.metrics.exposition().decode()
    found = re.findall(r'^abstracts_refusals_total\{limit="(.+)"\} (\S+)$', text, re.MULTILINE)
    assert len(found) == 7
    return {limit: float(number) for limit, number in found if float(number)}


def test_memory_and_store_are_told_apart(client: FlaskClient, services: TestServices) -> None:
    def ask(*abstracts: str) -> None:
        assert client.post("/api/predict/batch", json={"abstracts": list(abstracts)}).status_code == 200

    ask(ABSTRACT)
    ask(ABSTRACT, ABSTRACT + " More of it.")
    services.memory.clear()
    ask(ABSTRACT)
    ask(ABSTRACT, ABSTRACT + " More of it.")
    sample = 'abstracts_answers_total{{model="arxiv-mini",outcome="{}",source="{}"}}'.format
    assert value(services.metrics, sample("miss", "model")) == 2
    assert value(services.metrics, sample("hit", "memory")) == 2
    assert value(services.metrics, sample("hit", "store")) == 2


@pytest.mark.parametrize(
    ("limit", "settings", "refused"),
    [
        ("ip", {"LIMIT_IP": "2 per hour"}, {"ip": 1}),
        ("key", {"LIMIT_KEY": "2 per hour"}, {"key": 1}),
        ("inference", {"LIMIT_INFERENCE": "2 per hour"}, {"inference": 1}),
    ],
)
def test_refusals_are_counted_by_limit(
    make_services: MakeServices, limit: str, settings: dict[str, str], refused: dict[str, float]
) -> None:
    services = make_services(**settings)
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    texts = [f"{ABSTRACT} {limit} {number}" for number in range(3)]
    assert [client.post("/api/predict/", json={"abstract": text}).status_code for text in texts] == [200, 200, 429]
    assert refusals(services) == refused


def test_a_full_queue_is_a_refusal_whoever_stands_in_it(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures += [Overloaded("too many texts wait", retry_after=1)] * 2
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 503
    batch = client.post("/api/predict/batch", json={"abstracts": [ABSTRACT + " One.", ABSTRACT + " Two."]})
    assert [item["problem"]["status"] for item in batch.get_json()["results"]] == [503, 503]
    assert refusals(services) == {"queue": 2}


def test_too_many_jobs_and_pdfs_are_refusals(make_services: MakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    services = make_services(JOB_OPEN_MAX="1")
    key, secret = services.keys.create("x", ["predict"])
    services.jobs.create(key.id, "arxiv-mini", [ABSTRACT])
    services.__dict__["pdfs"] = Extractor(processes=0, waiting=0, count=services.metrics.paper)
    client = with_key(create_app(services=services), secret)
    body = {"abstracts": [ABSTRACT]}
    assert client.post("/api/jobs", json=body).status_code == 429
    monkeypatch.setattr(listings, "MOST_OPEN", 0)
    services.jobs.cancel(services.jobs.of(key.id, None, 1)[0].id, key.id)
    assert client.post("/api/jobs", json=body).status_code == 503
    file = {"file": (io.BytesIO(PAPER), "paper.pdf")}
    assert client.post("/api/predict/pdf", data=file, content_type="multipart/form-data").status_code == 503
    assert refusals(services) == {"jobs-of-key": 1, "jobs": 1, "pdf": 1}


def test_what_is_left_of_jobs(services: TestServices) -> None:
    backlog = Backlog(services.jobs, services.metrics.left)
    first = services.jobs.create("a", "arxiv-mini", [ABSTRACT] * 3 * CHUNK)
    services.jobs.create("b", "arxiv-mini", [ABSTRACT])
    claims = [services.jobs.claim(first.id, holder) for holder in ("w", "v")]
    assert claims[0] is not None
    services.jobs.finish(claims[0], ["{}"] * CHUNK, Counts(hits=CHUNK))
    assert backlog.attend() == LOOK_EVERY
    left = ("abstracts_jobs_open", "abstracts_chunks_waiting", "abstracts_chunks_held")
    assert [value(services.metrics, name) for name in left] == [2, 2, 1]
    services.store.down = True
    assert backlog.attend() == LOOK_EVERY
    assert [value(services.metrics, name) for name in left] == [2, 2, 1]


def test_chunks_are_counted_as_they_end(services: TestServices) -> None:
    key = services.keys.create("x", ["predict"])[0]
    job = services.jobs.create(key.id, "arxiv-mini", [ABSTRACT] * 2 * CHUNK)
    for stopping in (False, True):
        claim = services.jobs.claim(job.id, "w")
        assert claim is not None
        services.runner.run(claim, lambda: stopping)  # noqa: B023
    assert value(services.metrics, 'abstracts_chunks_total{outcome="finished"}') == 1
    assert value(services.metrics, 'abstracts_chunks_total{outcome="given-back"}') == 1


def test_a_server_tells_of_its_model_its_processes_and_its_queues(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.running():
        server.predict()
        server.predict()
        found = scrape(server)
        assert found['abstracts_model_load_seconds_count{model="arxiv-mini"}'] == 1
        assert found['abstracts_queue_length{queue="model"}'] == found['abstracts_queue_length{queue="pdf"}'] == 0
        assert found["abstracts_process_resident_memory_bytes"] > 1 << 20
        assert found["abstracts_process_cpu_seconds_total"] > 0
        assert [value for name, value in found.items() if name.startswith("abstracts_build_info{")] == [1]
        until(lambda: scrape(server)["abstracts_connections"] > 0)
        until(lambda: "abstracts_jobs_open" in scrape(server))
