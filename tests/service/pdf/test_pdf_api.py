"""POST /api/predict/pdf."""

import io
import threading
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bench.papers.document import Put, make_pdf
from service.app import Application, create_app
from service.pdf.extract import MAX_BYTES, Extractor
from tests.service.conftest import TestServices, with_key
from tests.service.pdf.papers import SENTENCES, column, head
from tests.service.waiting import until

TEXT = " ".join(SENTENCES)
PAPER = make_pdf([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 90, 180)])


@pytest.fixture(autouse=True)
def patient(services: TestServices) -> None:
    """Time is not what is tested here."""
    services.__dict__["pdfs"] = Extractor(seconds=60)


def post(client: FlaskClient, data: bytes = PAPER, **parts: Any) -> TestResponse:
    return client.post("/api/predict/pdf", data={"file": (io.BytesIO(data), "paper.pdf"), **parts})


def test_a_paper_is_classified_by_its_abstract(client: FlaskClient, services: TestServices) -> None:
    response = post(client)
    body = response.get_json()
    assert response.status_code == 200
    assert body["abstract"] == TEXT
    assert body["extraction"] == {"method": "heading", "confidence": body["extraction"]["confidence"], "page": 1}
    assert body["cached"] is False
    assert response.headers["Cache-Status"] == "abstracts; fwd=uri-miss; stored"
    assert "pdf;dur=" in response.headers["Server-Timing"]
    assert services.engine.texts == [TEXT]


def test_it_shares_the_cache_with_the_text(client: FlaskClient, services: TestServices) -> None:
    text = client.post("/api/predict/", json={"abstract": TEXT}).get_json()
    paper = post(client)
    assert paper.headers["Cache-Status"] == "abstracts; hit"
    assert paper.get_json()["id"] == text["id"]
    assert len(services.engine.texts) == 1


def test_threshold_and_top_k_are_parts(client: FlaskClient) -> None:
    assert len(post(client, threshold="0", top_k="2").get_json()["categories"]) == 2
    assert post(client, threshold="7").get_json()["errors"].keys() == {"threshold"}


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "not-a-pdf"),
        (b"hello", "not-a-pdf"),
        (PAPER[:400], "pdf-damaged"),
        (make_pdf(head(), encrypt=True), "pdf-encrypted"),
        (make_pdf([]), "pdf-without-text"),
        (make_pdf(head()), "pdf-without-abstract"),
    ],
    ids=["empty", "text", "damaged", "encrypted", "no-text", "no-abstract"],
)
def test_each_fault_is_its_own_problem(client: FlaskClient, services: TestServices, data: bytes, slug: str) -> None:
    response = post(client, data)
    assert (response.status_code, response.get_json()["type"]) == (422, f"/problems/{slug}")
    assert response.content_type == "application/problem+json"
    assert services.stored() == 0


def test_an_abstract_that_would_not_do_as_a_text(client: FlaskClient) -> None:
    short = [*head(), Put("Abstract", 280, 160), Put("It is so if a is in b or as c.", 90, 180)]
    assert post(client, make_pdf(short)).get_json()["type"] == "/problems/pdf-without-abstract"


def post_raw(client: FlaskClient, data: bytes) -> TestResponse:
    """Without the test client's own encoder, which leaves the temporary file of a large form open."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' + data
    return client.post("/api/predict/pdf", data=part + b"\r\n--x--", content_type="multipart/form-data; boundary=x")


def test_a_paper_of_more_than_20_mib(client: FlaskClient) -> None:
    just = post_raw(client, b"%PDF-" + bytes(MAX_BYTES))
    assert (just.status_code, just.get_json()["type"]) == (413, "/problems/pdf-too-large")
    far = post_raw(client, b"%PDF-" + bytes(MAX_BYTES + (1 << 20)))
    assert (far.status_code, far.get_json()["type"]) == (413, "/problems/body-too-large")


def test_a_hung_reader_is_a_problem(services: TestServices, key: str) -> None:
    services.__dict__["pdfs"] = Extractor(seconds=0.3, command=("/bin/sh", "-c", "echo started; exec sleep 600"))
    response = post(with_key(create_app(services=services), key))
    assert (response.status_code, response.get_json()["type"]) == (422, "/problems/pdf-too-demanding")


def test_where_too_many_wait(services: TestServices, key: str) -> None:
    services.__dict__["pdfs"] = Extractor(processes=0, waiting=0)
    response = post(with_key(create_app(services=services), key))
    assert (response.status_code, response.get_json()["type"]) == (503, "/problems/pdf-busy")
    assert int(response.headers["Retry-After"]) > 0


def test_one_keys_slow_papers_do_not_keep_anothers_out(services: TestServices, key: str, tmp_path: Path) -> None:
    go, answer = tmp_path / "go", '{"fault": "no-text"}'
    slow = f"echo started; cat >/dev/null; while [ ! -e {go} ]; do sleep 0.05; done; echo '{answer}'"
    pdfs = Extractor(processes=1, waiting=8, seconds=60, command=("/bin/sh", "-c", slow))
    services.__dict__["pdfs"] = pdfs
    app = create_app(services=services)
    greedy, other = with_key(app, key), with_key(app, services.keys.create("other", ["predict"])[1])
    statuses: dict[str, list[int]] = {"greedy": [], "other": []}

    def ask(name: str, client: FlaskClient) -> None:
        statuses[name].append(post(client).status_code)

    threads = [threading.Thread(target=ask, args=("greedy", greedy)) for _ in range(11)]
    for thread in threads:
        thread.start()
    until(lambda: statuses["greedy"] == [503, 503])  # one is read, eight wait
    threads.append(threading.Thread(target=ask, args=("other", other)))
    threads[-1].start()
    until(lambda: statuses["greedy"] == [503, 503, 503])  # the newest has made room
    go.touch()
    for thread in threads:
        thread.join(60)
    assert statuses == {"greedy": [503] * 3 + [422] * 8, "other": [422]}


def test_a_reader_that_does_not_start_is_the_services_fault(services: TestServices, key: str) -> None:
    services.__dict__["pdfs"] = Extractor(command=("/nonexistent",), count=services.metrics.paper)
    client = with_key(create_app(services=services), key)
    response = post(client)
    assert (response.status_code, response.get_json()["type"]) == (500, "/problems/internal-error")
    assert 'abstracts_papers_total{outcome="internal-error"} 1.0' in client.get("/metrics").get_data(as_text=True)


@pytest.mark.parametrize(
    ("request_", "status", "field"),
    [
        ({"json": {"file": "x"}}, 415, None),
        ({"data": {}, "content_type": "multipart/form-data; boundary=x"}, 400, "file"),
        ({"data": {"file": "text"}, "content_type": "multipart/form-data"}, 400, "file"),
        ({"data": {"paper": (io.BytesIO(PAPER), "a.pdf")}}, 400, "paper"),
        ({"data": {"file": [(io.BytesIO(PAPER), "a.pdf"), (io.BytesIO(PAPER), "b.pdf")]}}, 400, "file"),
    ],
    ids=["json", "nothing", "no-filename", "other-name", "two"],
)
def test_bad_forms(client: FlaskClient, request_: dict[str, Any], status: int, field: str | None) -> None:
    response = client.post("/api/predict/pdf", **request_)
    assert response.status_code == status
    assert field is None or field in response.get_json()["errors"]


def test_it_needs_a_key(app: Application) -> None:
    assert post(app.test_client()).status_code == 401
