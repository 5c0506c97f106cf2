"""/api/jobs: taken in, worked off in this process, read while running, cancelled, and nobody else's business."""

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.app import Application, create_app
from storage.errors import Corrupt
from storage.records.chunks import Counts
from storage.records.jobs import CHUNK
from tests.service.conftest import ABSTRACT, LABELS, MakeServices, TestServices, with_key
from tests.service.waiting import until

LINES = "application/x-ndjson"


def texts(count: int) -> list[str]:
    return [f"{ABSTRACT} This is measurement number {i} of a long series." for i in range(count)]


def post(client: FlaskClient, abstracts: Any, headers: dict[str, str] | None = None, **wishes: Any) -> TestResponse:
    return client.post("/api/jobs", json={"abstracts": abstracts, **wishes}, headers=headers)


def state(client: FlaskClient, response: TestResponse) -> dict[str, Any]:
    body: dict[str, Any] = client.get(response.headers["Location"]).get_json()
    return body


def results(client: FlaskClient, response: TestResponse) -> list[dict[str, Any]]:
    answer = client.get(f"{response.headers['Location']}/results")
    assert (answer.status_code, answer.mimetype) == (200, LINES)
    return [json.loads(line) for line in answer.text.splitlines()]


def finished(client: FlaskClient, response: TestResponse) -> dict[str, Any]:
    until(lambda: state(client, response)["state"] == "done")
    return state(client, response)


@pytest.fixture
def held_up(services: TestServices) -> Iterator[TestServices]:
    """Services whose engine waits to be let go."""
    services.engine.gate.clear()
    yield services
    services.engine.gate.set()


def test_a_job_is_taken_in_and_worked_off(client: FlaskClient, services: TestServices) -> None:
    asked = texts(CHUNK + 3)
    response = post(client, asked)
    body = response.get_json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/api/jobs/{body['id']}"
    assert int(response.headers["Retry-After"]) >= 1
    assert (body["total"], body["done"], body["model"], body["state"]) == (CHUNK + 3, 0, "arxiv-mini", "queued")
    done = finished(client, response)
    assert (done["done"], done["misses"], done["hits"], done["problems"]) == (CHUNK + 3, CHUNK + 3, 0, 0)
    assert (done["progress"], done["seconds_left"]) == (1.0, 0.0)
    assert done["started_at"] <= done["finished_at"] < done["expires_at"]
    assert "Retry-After" not in client.get(response.headers["Location"]).headers
    singles = [client.post("/api/predict/", json={"abstract": text}).get_json() for text in asked]
    assert [{**line, "cached": True} for line in results(client, response)] == singles
    assert services.backend.get("jobs", f"input/{body['id']}/0") is None


def test_an_item_that_is_wrong_has_its_problem_in_its_place(client: FlaskClient) -> None:
    response = post(client, [texts(1)[0], "short", None, {"a": 1}, "1234567890 " * 9, texts(2)[1]])
    assert finished(client, response)["problems"] == 4
    statuses = [line.get("problem", {}).get("status") for line in results(client, response)]
    assert statuses == [None, 400, 400, 400, 400, None]


@pytest.mark.parametrize("way", ["lines", "file"])
def test_a_file_of_objects_may_be_uploaded(client: FlaskClient, way: str) -> None:
    lines = [json.dumps({"abstract": text, "id": i}) for i, text in enumerate(texts(3))]
    body = "\n".join([lines[0], "", "{broken", lines[1], '"x"', "{}", lines[2]]).encode()
    if way == "lines":
        response = client.post("/api/jobs?top_k=1&threshold=0", data=body, content_type=LINES)
    else:
        file = {"file": (io.BytesIO(body), "abstracts.jsonl")}
        response = client.post("/api/jobs?top_k=1&threshold=0", data=file, content_type="multipart/form-data")
    assert finished(client, response)["total"] == 6
    found = results(client, response)
    assert [line.get("problem", {}).get("line") for line in found] == [None, 3, None, 5, 6, None]
    assert [len(line["categories"]) for line in found if "problem" not in line] == [1, 1, 1]


def upload(client: FlaskClient, content: bytes, name: str, query: str = "") -> TestResponse:
    form = {"file": (io.BytesIO(content), name)}
    return client.post(f"/api/jobs{query}", data=form, content_type="multipart/form-data")


@pytest.mark.parametrize(
    ("content", "name", "content_type"),
    [
        (f'id,abstract\n7,"{ABSTRACT}"\n'.encode(), "a.csv", "text/csv"),
        (gzip.compress(json.dumps({"id": 7, "abstract": ABSTRACT}).encode()), "a.jsonl.gz", "application/gzip"),
        (f"@article{{7, abstract={{{ABSTRACT}}}}}".encode(), "a.bib", "application/octet-stream"),
        (f"TY  - JOUR\nAB  - {ABSTRACT}\nID  - 7\nER  -\n".encode("utf-16"), "a.ris", "application/octet-stream"),
        (json.dumps([{"id": 7, "abstract": ABSTRACT}]).encode(), "a.json", LINES),
    ],
)
def test_a_file_of_another_form(client: FlaskClient, content: bytes, name: str, content_type: str) -> None:
    for response in (upload(client, content, name), client.post("/api/jobs", data=content, content_type=content_type)):
        assert (response.status_code, finished(client, response)["total"]) == (202, 1)
        (line,) = results(client, response)
        assert line["input_id"] == "7"
        assert line["id"] != "7"


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (b"PK\x03\x04 broken", 422, "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 415, "old Word"),
        (b"id,text\n1,some words\n2,other words\n", 422, "text_column"),
        (b"<html><body>x</body></html>", 415, "web page"),
        (b'{"title": "x"}\n' * 9, 422, "text_column"),
        (f"{ABSTRACT} Schr\u00f6dinger".encode("latin-1"), 422, "ISO-8859-1"),
    ],
)
def test_a_file_that_is_not_read(
    client: FlaskClient, services: TestServices, content: bytes, status: int, word: str
) -> None:
    uploads = [upload(client, content, "upload.jsonl"), client.post("/api/jobs", data=content, content_type=LINES)]
    for response in uploads:
        assert (response.status_code, response.mimetype) == (status, "application/problem+json")
        assert word in response.get_json()["detail"]
    assert services.stored("jobs") == 0


def test_the_columns_may_be_named(client: FlaskClient) -> None:
    content = f'no,text\n1,"{ABSTRACT}"\n'.encode()
    response = upload(client, content, "a.csv", "?text_column=text&id_column=no")
    assert finished(client, response)["problems"] == 0
    assert results(client, response)[0]["input_id"] == "1"


def test_an_object_s_own_id_and_wishes_come_back(client: FlaskClient) -> None:
    asked = [
        {"abstract": ABSTRACT, "id": 5, "title": "T", "threshold": 0, "top_k": 1},
        {"abstract": "short", "id": "b"},
    ]
    lists = post(client, asked)
    lines = client.post("/api/jobs", data="\n".join(map(json.dumps, asked)), content_type=LINES)
    for response in (lists, lines):
        assert finished(client, response)["problems"] == 1
        good, bad = results(client, response)
        assert (good["input_id"], bad["input_id"], len(good["categories"])) == ("5", "b", 1)
        assert bad["problem"]["status"] == 400
    assert bad["problem"]["place"] == "line 2"


def test_results_can_be_read_while_it_runs(client: FlaskClient, held_up: TestServices) -> None:
    response = post(client, texts(3 * CHUNK))
    assert held_up.engine.entered.acquire(timeout=10)
    assert results(client, response) == []
    jobs, id = held_up.jobs, response.get_json()["id"]
    claim = jobs.claim(id, "one that is not held up", 2) or jobs.claim(id, "one that is not held up")
    assert claim is not None
    jobs.finish(claim, ['"x"'] * CHUNK, Counts(hits=CHUNK))
    running = state(client, response)
    assert (running["state"], running["done"], running["ready"], running["hits"]) == ("running", CHUNK, 0, CHUNK)
    assert running["progress"] == round(1 / 3, 4)
    assert results(client, response) == []
    held_up.engine.gate.set()
    assert finished(client, response)["ready"] == 3 * CHUNK
    read = client.get(f"{response.headers['Location']}/results").text.splitlines()
    assert read.count('"x"') == CHUNK < len(read)


def test_results_can_be_resumed(client: FlaskClient, services: TestServices) -> None:
    response = post(client, texts(2 * CHUNK + 3))
    finished(client, response)
    path = f"{response.headers['Location']}/results"
    whole = client.get(path)
    assert whole.content_length == len(whole.data)
    assert client.get(f"{path}?from={CHUNK + 1}").data.splitlines() == whole.data.splitlines()[CHUNK + 1 :]
    assert client.get(f"{path}?from=9999").data == b""
    assert client.get(f"{path}?from=-1").status_code == 400
    for start, end in ((0, 9), (len(whole.data) // 2, None), (len(whole.data) - 1, None)):
        part = client.get(path, headers={"Range": f"bytes={start}-{'' if end is None else end - 1}"})
        assert (part.status_code, part.data) == (206, whole.data[start:end])
        assert part.headers["Content-Range"].endswith(f"/{len(whole.data)}")
    beyond = client.get(path, headers={"Range": f"bytes={len(whole.data)}-"})
    assert (beyond.status_code, beyond.mimetype) == (416, "application/problem+json")
    assert client.get(path, headers={"Range": "bytes=5-", "If-Range": '"x"'}).status_code == 200
    assert client.head(path).content_length == len(whole.data)


def test_results_that_are_damaged_never_look_complete(client: FlaskClient, services: TestServices) -> None:
    response = post(client, texts(2 * CHUNK))
    finished(client, response)
    path = f"{response.headers['Location']}/results"
    length = client.get(path).content_length
    services.backend.remove("jobs", f"output/{response.get_json()['id']}/1")
    broken = client.get(path)
    assert (broken.status_code, broken.content_length) == (200, length)
    with pytest.raises(Corrupt):
        broken.data  # noqa: B018  (a server breaks the connection off)
    services.backend.put("jobs", f"output/{response.get_json()['id']}/0", b"{}")
    unreadable = client.get(path)
    assert (unreadable.status_code, unreadable.get_json()["type"]) == (503, "/problems/store-unavailable")
    services.store.down = True
    assert client.get(path).status_code == 503


def test_ones_own_jobs_are_listed(app: Application, client: FlaskClient, services: TestServices) -> None:
    made = [post(client, texts(1)) for _ in range(3)]
    for response in made:
        finished(client, response)
    other = with_key(app, services.keys.create("other", ["predict"])[1])
    post(other, texts(1))
    first = client.get("/api/jobs?limit=2").get_json()
    assert [job["id"] for job in first["jobs"]] == [response.get_json()["id"] for response in made[:0:-1]]
    assert first["jobs"][0] == state(client, made[2])
    second = client.get(first["next"]).get_json()
    assert ([job["id"] for job in second["jobs"]], second["next"]) == ([made[0].get_json()["id"]], None)
    assert client.get("/api/jobs?limit=0").status_code == 400


def test_a_key_has_so_many_open_jobs_and_no_more(make_services: MakeServices) -> None:
    services = make_services(JOB_OPEN_MAX="2")
    services.engine.gate.clear()
    app = create_app(services=services)
    client = with_key(app, services.keys.create("x", ["predict"])[1])
    made = [post(client, texts(1)) for _ in range(2)]
    refused = post(client, texts(1))
    assert (refused.status_code, refused.get_json()["type"]) == (429, "/problems/too-many-open-jobs")
    assert "Retry-After" in refused.headers
    assert post(with_key(app, services.keys.create("y", ["predict"])[1]), texts(1)).status_code == 202
    client.delete(made[0].headers["Location"])
    assert post(client, texts(1)).status_code == 202
    services.engine.gate.set()


def test_an_upload_whose_end_cannot_be_known_is_refused(client: FlaskClient, services: TestServices) -> None:
    body = json.dumps({"abstract": ABSTRACT}).encode()
    for content_type in (LINES, "application/json", "multipart/form-data; boundary=x"):
        response = client.post(
            "/api/jobs",
            input_stream=io.BytesIO(body),
            content_type=content_type,
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )
        assert (response.status_code, response.get_json()["type"]) == (411, "/problems/length-required")
    assert services.stored("jobs") == 0


# werkzeug leaves what it has of a form that was cut off to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("content_type", [LINES, "application/json", "text/csv", "multipart/form-data; boundary=x"])
def test_what_was_cut_off_can_be_sent_again(client: FlaskClient, services: TestServices, content_type: str) -> None:
    lines = [json.dumps({"abstract": text}) for text in texts(6)]
    form = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    body = {
        LINES: "\n".join(lines) + "\n",
        "application/json": json.dumps({"abstracts": texts(6)}),
        "text/csv": "abstract\n" + "\n".join(f'"{text}"' for text in texts(6)) + "\n",
    }.get(content_type, form + "\n".join(lines) + "\n\r\n--x--\r\n")
    name = {"Idempotency-Key": "again"}
    for share in (0.5, 0.8):
        half = body[: int(len(body) * share)].rsplit("\n", 1)[0] + "\n"
        length = {"CONTENT_LENGTH": str(len(body))}
        cut = client.post(
            "/api/jobs", data=half.encode(), content_type=content_type, headers=name, environ_overrides=length
        )
        assert (cut.status_code, cut.mimetype) == (400, "application/problem+json")
        assert services.stored("jobs") == 0
    whole = client.post("/api/jobs", data=body.encode(), content_type=content_type, headers=name)
    assert finished(client, whole)["total"] == 6


def test_cancelling_ends_it(client: FlaskClient, held_up: TestServices) -> None:
    response = post(client, texts(3 * CHUNK))
    assert held_up.engine.entered.acquire(timeout=10)
    cancelled = client.delete(response.headers["Location"])
    assert (cancelled.status_code, cancelled.get_json()["state"]) == (200, "cancelled")
    held_up.engine.gate.set()
    after = post(client, [ABSTRACT])
    assert finished(client, after)["done"] == 1
    assert state(client, response)["state"] == "cancelled"
    assert len(held_up.engine.texts) <= 2 * CHUNK + 1
    assert client.delete(response.headers["Location"]).get_json()["state"] == "cancelled"


def test_a_job_is_nobody_elses_business(app: Application, client: FlaskClient, services: TestServices) -> None:
    response = post(client, texts(1))
    path = response.headers["Location"]
    other = with_key(app, services.keys.create("other", ["predict", "read"])[1])
    answers = [other.get(path), other.get(f"{path}/results"), other.delete(path), client.get("/api/jobs/nonsense")]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert answers[0].get_json()["type"] == "/problems/no-such-job"
    assert finished(client, response)["state"] == "done"


def test_the_same_idempotency_key_and_body_is_the_same_job(
    app: Application, client: FlaskClient, services: TestServices
) -> None:
    name = {"Idempotency-Key": "a name"}
    first = post(client, texts(2), name)
    again = post(client, texts(2), name)
    assert (again.status_code, again.headers["Location"]) == (202, first.headers["Location"])
    for changed in (post(client, texts(3), name), post(client, texts(2), name, top_k=1)):
        assert (changed.status_code, changed.get_json()["type"]) == (422, "/problems/idempotency-key-reused")
    other = with_key(app, services.keys.create("other", ["predict"])[1])
    assert post(other, texts(2), name).headers["Location"] != first.headers["Location"]
    assert post(client, texts(2)).headers["Location"] != first.headers["Location"]
    assert post(client, texts(2), {"Idempotency-Key": "x" * 256}).status_code == 400
    assert finished(client, first)["done"] == 2


@pytest.mark.parametrize(
    ("body", "content_type", "status", "word"),
    [
        (b"", "application/json", 400, "empty"),
        (b"{", "application/json", 400, "not JSON"),
        (b"[]", "application/json", 400, "JSON object"),
        (b'{"abstracts": []}', "application/json", 400, "abstracts"),
        (b'{"abstracts": ["x"], "x": 1}', "application/json", 400, "no such field"),
        (b'{"abstracts": ["x"], "model": "nonsense"}', "application/json", 404, "nonsense"),
        (b'{"abstracts": ["x"], "model": "scibert-multi"}', "application/json", 503, "remedy"),
        (b"\n\n", LINES, 400, "There are none"),
        (b"x", "text/plain", 415, LINES),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 400, "file"),
    ],
)
def test_a_request_of_the_wrong_form(
    client: FlaskClient, services: TestServices, body: bytes, content_type: str, status: int, word: str
) -> None:
    response = client.post("/api/jobs", data=body, content_type=content_type)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert word in response.text
    assert services.stored("jobs") == 0


def test_more_than_the_bound_is_refused_and_leaves_nothing(make_services: MakeServices) -> None:
    services = make_services(JOB_MAX="40")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    lines = b"\n".join(json.dumps({"abstract": text}).encode() for text in texts(41))
    for response in (post(client, texts(41)), client.post("/api/jobs", data=lines, content_type=LINES)):
        assert (response.status_code, list(response.get_json()["errors"])) == (400, ["abstracts"])
    for content_type in ("application/json", LINES):
        body = b'{"abstract": "' + b"x" * (40 * 8 * 1024)
        assert client.post("/api/jobs", data=body, content_type=content_type).status_code == 413
    assert services.stored("jobs") == 0
    assert finished(client, post(client, texts(40)))["done"] == 40


def test_the_bound_of_other_routes_stays(client: FlaskClient) -> None:
    assert client.post("/api/predict/", data=b"x" * 70_000, content_type="application/json").status_code == 413


def test_a_job_in_an_outage_is_not_accepted(client: FlaskClient, services: TestServices) -> None:
    client.get("/api/models")
    services.store.down = True
    response = post(client, texts(1))
    assert (response.status_code, response.get_json()["type"]) == (503, "/problems/store-unavailable")


def test_a_predict_may_ask_for_an_answer_later(client: FlaskClient) -> None:
    wish = {"abstract": ABSTRACT, "top_k": 1, "threshold": 0}
    response = client.post("/api/predict/", json=wish, headers={"Prefer": "wait=5, respond-async"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "respond-async")
    assert finished(client, response)["total"] == 1
    (line,) = results(client, response)
    assert line == {**client.post("/api/predict/", json=wish).get_json(), "cached": False}
    assert len(line["labels"]) == len(LABELS)


def test_a_predict_with_another_preference_is_answered_now(client: FlaskClient) -> None:
    response = client.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"Prefer": "return=minimal"})
    assert (response.status_code, "Preference-Applied" in response.headers) == (200, False)
