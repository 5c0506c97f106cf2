"""Papers as PDFs in jobs: a zip of them, or several parts of a form."""

import io
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bench.papers.document import Put, make_pdf
from service.jobs import items
from service.pdf.extract import Extractor
from tests.service.conftest import ABSTRACT, TestServices
from tests.service.jobs.test_jobs_api import finished, results, texts
from tests.service.pdf.papers import SENTENCES, column, head
from tests.service.waiting import until

TEXT = " ".join(SENTENCES)
PAPER = make_pdf([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 90, 180)])
CONTENTS = {"a/drum.pdf": PAPER, "damaged.pdf": PAPER[:400], "bare.pdf": make_pdf(head()), "drum2.pdf": PAPER}


@pytest.fixture(autouse=True)
def patient(services: TestServices) -> None:
    """Time is not what is tested here."""
    services.__dict__["pdfs"] = Extractor(seconds=60)


def packed(contents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def as_zip(client: FlaskClient, contents: dict[str, bytes]) -> TestResponse:
    return client.post("/api/jobs", data=packed(contents), content_type="application/zip")


def as_parts(client: FlaskClient, contents: dict[str, bytes]) -> TestResponse:
    return client.post("/api/jobs", data={"file": [(io.BytesIO(data), name) for name, data in contents.items()]})


def as_zip_in_a_form(client: FlaskClient, contents: dict[str, bytes]) -> TestResponse:
    return client.post("/api/jobs", data={"file": (io.BytesIO(packed(contents)), "papers.zip")})


def slug(line: dict[str, Any]) -> str:
    return str(line["problem"]["type"]).removeprefix("/problems/")


@pytest.mark.parametrize("send", [as_zip, as_parts, as_zip_in_a_form])
def test_each_paper_is_an_item_and_a_damaged_one_a_problem(
    client: FlaskClient, services: TestServices, send: Any
) -> None:
    response = send(client, CONTENTS)
    assert response.status_code == 202, response.get_json()
    done = finished(client, response)
    assert (done["total"], done["problems"]) == (4, 2)
    lines = results(client, response)
    assert [line["input_id"].rpartition("/")[2] for line in lines] == [name.rpartition("/")[2] for name in CONTENTS]
    drum, damaged, bare, again = lines
    assert drum["abstract"] == again["abstract"] == TEXT
    assert drum["extraction"].keys() == {"method", "confidence", "page"}
    assert drum["id"] == client.post("/api/predict/", json={"abstract": TEXT}).get_json()["id"]
    assert (slug(damaged), slug(bare)) == ("pdf-damaged", "pdf-without-abstract")
    assert services.engine.texts == [TEXT]
    services.meter.write()
    usage = client.get("/api/key").get_json()["usage"]
    assert sum(day["pdfs"] for day in usage) == 2


def test_one_paper_as_it_is(client: FlaskClient) -> None:
    response = client.post("/api/jobs", data=PAPER, content_type="application/pdf")
    assert finished(client, response)["total"] == 1
    (line,) = results(client, response)
    assert line["abstract"] == TEXT
    assert "input_id" not in line


def test_lists_and_papers_may_come_together(client: FlaskClient) -> None:
    response = as_parts(client, {"list.csv": f"id,abstract\n7,{ABSTRACT}\n".encode(), "drum.pdf": PAPER, "x.doc": b""})
    finished(client, response)
    assert [line["input_id"] for line in results(client, response)] == ["7", "drum.pdf"]


def test_a_file_that_is_not_read_is_one_problem_of_several(client: FlaskClient) -> None:
    response = as_parts(client, {"x.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "drum.pdf": PAPER})
    finished(client, response)
    word, drum = results(client, response)
    assert (word["input_id"], slug(word)) == ("x.doc", "file-not-supported")
    assert drum["abstract"] == TEXT


def test_a_paper_behind_many_abstracts_is_refused_alone(client: FlaskClient) -> None:
    table = "abstract\n" + "".join(f'"{text}"\n' for text in texts(40))
    response = as_parts(client, {"list.csv": table.encode(), "drum.pdf": PAPER})
    assert finished(client, response)["total"] == 41
    *_, last = results(client, response)
    assert (last["input_id"], slug(last)) == ("drum.pdf", "file-not-usable")


def test_a_paper_that_is_too_large_is_not_stored(
    client: FlaskClient, services: TestServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "MAX_PAPER", len(PAPER) - 1)
    response = as_parts(client, {"drum.pdf": PAPER, "bare.pdf": make_pdf(head())})
    finished(client, response)
    assert [slug(line) for line in results(client, response)] == ["pdf-too-large", "pdf-without-abstract"]
    assert services.engine.texts == []


def test_a_job_waits_its_turn_where_too_many_papers_are_read(client: FlaskClient, services: TestServices) -> None:
    pdfs = services.pdfs
    services.__dict__["pdfs"] = Extractor(processes=0, waiting=0)
    response = as_parts(client, {"drum.pdf": PAPER})
    until(lambda: client.get(response.headers["Location"]).get_json()["delayed_until"] is not None)
    assert client.get(response.headers["Location"]).get_json()["done"] == 0
    services.__dict__["pdfs"] = pdfs
