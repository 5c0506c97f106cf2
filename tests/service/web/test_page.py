"""The web page in a real browser, before a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until
from tests.service.web.browser import Page, browsing, chromium


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).running() as server:
        yield server


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Iterator[Page]:
    program = chromium()
    if program is None:
        pytest.fail("there is no Chromium on this machine (on Debian: apt install chromium)")
    with browsing(program, tmp_path / "profile") as page:
        page.send("Page.navigate", url=f"http://127.0.0.1:{server.port}/")
        until(lambda: page.run("document.readyState") == "complete")
        yield page


def classify(page: Page, key: str, abstract: str) -> None:
    """Fills in the form and presses its button."""
    page.run(f"document.getElementById('key').value = {json.dumps(key)}")
    page.run(f"document.getElementById('abstract').value = {json.dumps(abstract)}")
    page.run("document.getElementById('abstract').dispatchEvent(new Event('input'))")
    page.run("document.getElementById('send').click()")
    until(lambda: page.run("document.getElementById('send').disabled") is False)


def status(page: Page) -> Any:
    return page.run("document.getElementById('status').textContent")


def test_scores_are_shown_best_first(page: Page, server: Server) -> None:
    classify(page, server.key, ABSTRACT)
    assert "arxiv-mini, from the " in status(page)
    rows = page.run("[...document.querySelectorAll('#scores li')].map((row) => row.innerText.split('\\n'))")
    answer = server.predict()[2]
    assert len(rows) == len(answer["labels"])
    assert rows[0][0] == answer["categories"][0]["label"]
    values = [float(row[-1]) for row in rows]
    assert values == sorted(values, reverse=True)
    chosen = page.run(
        "[...document.querySelectorAll('#scores li.chosen span:first-child')].map((name) => name.innerText)"
    )
    assert chosen == [category["label"] for category in answer["categories"]]
    classify(page, server.key, ABSTRACT)
    assert "from the store" in status(page)


def test_a_problem_is_told_in_words(page: Page, server: Server) -> None:
    classify(page, server.key, "Too short.")
    assert status(page).startswith("abstract: ")
    assert page.run("document.getElementById('count').textContent") == "10 characters (50 to 5000)"
    classify(page, "abs_wrong", ABSTRACT)
    assert "key" in status(page)
    assert page.run("document.querySelectorAll('#scores li').length") == 0
