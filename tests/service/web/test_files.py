"""Files in the page: papers as PDFs, and lists that become jobs."""

import csv
import io
import json
from pathlib import Path

import pytest

from bench.papers.document import Put, make_pdf
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.pdf.papers import SENTENCES, column, head
from tests.service.waiting import until
from tests.service.web.proxy import Proxy, Reply
from tests.service.web.screen import Screen

OTHER = (*SENTENCES[:4], "to within five percent.")
PAPER = make_pdf([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 90, 180)])
PROBLEM = "application/problem+json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Papers, lists, and what is neither."""
    path = tmp_path / "files"
    path.mkdir()
    (path / "drum.pdf").write_bytes(PAPER)
    (path / "other.pdf").write_bytes(make_pdf([*head(), Put("Abstract", 280, 160), *column(OTHER, 90, 180)]))
    (path / "bare.pdf").write_bytes(make_pdf(head()))
    rows = [("a-1", ABSTRACT), ("a,2", "too short"), ('a"3', f"{ABSTRACT} Once more.")]
    with (path / "papers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "abstract"), *rows])
    (path / "many.jsonl").write_text("".join(f'{{"abstract": "{ABSTRACT} It is number {i}."}}\n' for i in range(150)))
    (path / "song.mp3").write_bytes(b"ID3\x03\x00" + bytes(200))
    return path


def choose(screen: Screen, *files: Path) -> None:
    found = screen.page.send("Runtime.evaluate", expression="document.getElementById('files')")["result"]["objectId"]
    screen.page.send("DOM.setFileInputFiles", files=[str(file) for file in files], objectId=found)


def send(screen: Screen, key: str, *files: Path) -> str:
    """Chooses files and sends them; what is announced in the end."""
    screen.fill("key", key)
    choose(screen, *files)
    screen.click("send-files")
    screen.finished()
    return screen.status


def rows(screen: Screen, within: str) -> list[list[str]]:
    found: list[list[str]] = screen.page.run(
        f"[...document.querySelectorAll('{within} tbody tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    )
    return found


def test_a_papers_abstract_is_shown_to_be_corrected(screen: Screen, server: Server, folder: Path) -> None:
    said = send(screen, server.key, folder / "drum.pdf")
    assert said.startswith("1 of 1 paper read. arxiv-mini, from the ")
    assert screen.get("abstract", "value") == " ".join(SENTENCES)
    assert "Found in drum.pdf on page 1, under its heading, confidence 0." in screen.get("abstract-note")
    assert screen.get("abstract-note", "id") in screen.get("abstract", "getAttribute('aria-describedby')").split()
    assert rows(screen, "#papers")[0][:2] == ["drum.pdf", "1"]
    screen.fill("abstract", " ".join(SENTENCES).replace("grains", "galaxies"))
    screen.click("send")
    screen.finished()
    assert "arxiv-mini, from the model" in screen.status


def test_each_of_several_papers_has_its_row(screen: Screen, server: Server, folder: Path) -> None:
    said = send(screen, server.key, folder / "bare.pdf", folder / "drum.pdf", folder / "other.pdf")
    assert said.startswith("2 of 3 papers read.")
    bare, drum, other = rows(screen, "#papers")
    assert "abstract" in bare[4]
    assert bare[5] == ""
    assert drum[5] == "Show that of drum.pdf"
    assert screen.get("abstract", "value") == " ".join(SENTENCES)
    screen.page.run("document.querySelectorAll('#papers td button')[1].click()")
    assert screen.get("abstract", "value") == " ".join(OTHER)
    assert "other.pdf" in screen.get("abstract-note")
    assert other[3] == ", ".join(
        f"{code} {float(value):.2f}"
        for code, value in zip(screen.all("li.chosen .code"), screen.all("li.chosen .value"), strict=True)
    )


def test_a_list_becomes_a_job(screen: Screen, server: Server, folder: Path, tmp_path: Path) -> None:
    said = send(screen, server.key, folder / "papers.csv")
    assert said == "papers.csv has become a job of 3 abstracts; its results appear below."
    screen.says("papers.csv: done: 3 of 3 abstracts, 1 problem.")
    first, second, third = rows(screen, "#jobs")
    best = server.predict()[2]["categories"]
    assert first == ["1", "a-1", ", ".join(f"{one['label']} {one['score']:.2f}" for one in best), ""]
    assert second[:3] == ["2", "a,2", ""]
    assert "row 3" in second[3]
    assert third[1] == 'a"3'
    assert screen.page.violations() == []


def test_the_results_are_taken_along(screen: Screen, server: Server, folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    screen.page.save_to(saved)
    send(screen, server.key, folder / "papers.csv")
    screen.says("papers.csv: done")
    for button in ("Download CSV", "Download JSON"):
        screen.page.run(
            f"[...document.querySelectorAll('#jobs button')].find((b) => b.innerText == '{button}').click()"
        )
    until(lambda: {path.name for path in saved.glob("*")} == {"papers-scores.csv", "papers-scores.json"})
    until(lambda: (saved / "papers-scores.json").stat().st_size > 0)
    results = json.loads((saved / "papers-scores.json").read_text("utf-8"))
    assert [result["input_id"] for result in results] == ["a-1", "a,2", 'a"3']
    table = list(csv.DictReader(io.StringIO((saved / "papers-scores.csv").read_text("utf-8"))))
    assert [row["input_id"] for row in table] == ["a-1", "a,2", 'a"3']
    assert [float(table[0][f"score {label}"]) for label in results[0]["labels"]] == results[0]["predictions"][0]
    assert table[0]["categories"] == ";".join(category["label"] for category in results[0]["categories"])
    assert table[1]["problem"]
    assert table[1]["score math"] == ""


def test_a_long_job_shows_how_far_it_is_and_can_be_cancelled(
    proxied: Screen, proxy: Proxy, server: Server, folder: Path
) -> None:
    send(proxied, server.key, folder / "many.jsonl")
    job = server.ask("GET", "/api/jobs")[2]["jobs"][0]
    half = {**job, "state": "running", "done": 40, "ready": 0, "seconds_left": 90.0}
    proxy.replies[f"/api/jobs/{job['id']}"] = Reply(200, "application/json", json.dumps(half), {"Retry-After": "1"})
    until(lambda: "running: 40 of 150 abstracts, about 2 minutes left." in proxied.all("#jobs p"))
    assert proxied.all("#jobs progress", "value") == [40]
    assert proxied.page.violations() == []
    over = {**half, "state": "cancelled"}
    proxy.replies[f"/api/jobs/{job['id']}"] = Reply(200, "application/json", json.dumps(over))
    proxied.page.run("document.querySelector('#jobs button').click()")
    proxied.says("many.jsonl: cancelled: 40 of 150 abstracts.")
    assert proxied.all("#jobs button", "hidden")[0] is True


def test_a_job_is_followed_through_an_outage(proxied: Screen, proxy: Proxy, server: Server, folder: Path) -> None:
    send(proxied, server.key, folder / "many.jsonl")
    path = f"/api/jobs/{server.ask('GET', '/api/jobs')[2]['jobs'][0]['id']}"
    proxy.replies[path] = None
    until(lambda: "The service cannot be reached." in proxied.all("#jobs p")[0])
    proxy.replies[path] = Reply(502, "text/html", "<h1>Bad Gateway</h1>")
    until(lambda: "not running behind its proxy" in proxied.all("#jobs p")[0])
    del proxy.replies[path]
    proxied.says("many.jsonl: done: 150 of 150 abstracts.")
    assert len(rows(proxied, "#jobs")) == 100
    proxied.page.run("[...document.querySelectorAll('#jobs button')].at(-1).click()")
    assert len(rows(proxied, "#jobs")) == 150


def test_what_is_no_list_is_refused_with_the_remedy(screen: Screen, server: Server, folder: Path) -> None:
    assert "Choose a file first" in send(screen, server.key)
    said = send(screen, server.key, folder / "song.mp3")
    assert said.startswith("Problem: song.mp3: It is a sound.")
    assert screen.get("files-error") in said
    assert screen.get("files", "ariaInvalid") == "true"


def test_a_busy_service_is_asked_again(proxied: Screen, proxy: Proxy, server: Server, folder: Path) -> None:
    busy = {"type": "/problems/pdf-busy", "title": "x", "status": 503, "detail": "Too many PDFs are being read."}
    proxy.replies["/api/predict/pdf"] = Reply(503, PROBLEM, json.dumps(busy), {"Retry-After": "1"})
    proxied.fill("key", server.key)
    choose(proxied, folder / "drum.pdf")
    proxied.click("send-files")
    until(lambda: proxied.get("countdown").startswith("It goes on in "))
    del proxy.replies["/api/predict/pdf"]
    proxied.says("1 of 1 paper read.")
    assert proxied.get("countdown") == ""


def test_files_can_be_dropped_anywhere(screen: Screen, server: Server, folder: Path) -> None:
    data = {"items": [], "files": [str(folder / "drum.pdf")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        screen.page.send("Input.dispatchDragEvent", type=kind, x=20, y=20, data=data)
    screen.says("1 file to send: drum.pdf.")
    screen.fill("key", server.key)
    screen.click("send-files")
    screen.says("1 of 1 paper read.")
