"""What the page shows of an answer, in a real browser, before a real server."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until
from tests.service.web.proxy import Proxy, Reply
from tests.service.web.screen import Screen

SINGLE = "arxiv-mini-single"


def codes(screen: Screen, selector: str = "#scores li") -> list[str]:
    return screen.all(f"{selector} .code")


def test_scores_are_shown_best_first_with_names_and_links(screen: Screen, server: Server) -> None:
    assert "arxiv-mini, from the " in screen.classify(server.key, ABSTRACT)
    answer = server.predict()[2]
    assert len(codes(screen)) == len(answer["labels"])
    values = [float(value) for value in screen.all("#scores .value")]
    assert values == sorted(values, reverse=True)
    assert codes(screen, "#scores li.chosen") == [category["label"] for category in answer["categories"]]
    assert screen.all("#scores li.chosen .chosen-mark", "textContent") == ["✓ chosen"] * len(answer["categories"])
    best = codes(screen)[0]
    assert screen.all("#scores a", "href")[0] == f"https://arxiv.org/list/{best}/recent"
    assert screen.all("#scores .name")[0].startswith("High Energy Physics")
    assert "from the store" in screen.classify(server.key, ABSTRACT)
    assert "; stored " in screen.get("facts")
    assert "requests with this key" in screen.get("facts")
    assert "calibrated probability" in screen.get("meaning")


def test_the_threshold_and_top_k_are_applied_in_the_page(screen: Screen, server: Server) -> None:
    screen.classify(server.key, ABSTRACT)
    assert screen.all(".scale .mark") == ["threshold 0.42"]
    assert screen.get("threshold-value") == "0.42, the model’s own"
    place = "document.querySelector('.mark').getBoundingClientRect().left"
    before = screen.page.run(place)
    screen.fill("threshold", "0.03")
    assert screen.all(".scale .mark") == ["threshold 0.03"]
    assert screen.page.run(place) < before
    asked = {"abstract": ABSTRACT, "threshold": 0.03}
    categories = server.ask("POST", "/api/predict/", json.dumps(asked).encode())[2]["categories"]
    assert len(categories) > 2
    assert codes(screen, "#scores li.chosen") == [category["label"] for category in categories]
    screen.fill("top_k", "2")
    assert codes(screen, "#scores li.chosen") == [category["label"] for category in categories[:2]]
    screen.click("threshold-reset")
    assert screen.get("threshold-value") == "0.42, the model’s own"


def test_a_model_can_be_chosen(screen: Screen, server: Server) -> None:
    screen.classify(server.key, ABSTRACT)
    assert screen.all("#model option") == [
        "Archives, all that fit (arxiv-mini)",
        "Categories, under their archives (arxiv-fine)",
        f"Primary archive, the one it fits best ({SINGLE})",
    ]
    screen.fill("model", SINGLE)
    assert screen.classify(server.key, ABSTRACT).startswith(SINGLE)
    assert "add up to 1" in screen.get("meaning")


def test_categories_stand_under_their_archives(proxied: Screen, proxy: Proxy, server: Server) -> None:
    labels = ["math.AG", "math.CO", *(f"cs.{number:02}" for number in range(40))]
    about = {label: {"url": f"https://arxiv.org/list/{label}/recent", "group": label.split(".")[0]} for label in labels}
    about["math.CO"]["name"], about["math"] = "Combinatorics", {"name": "Mathematics"}
    fine = {"name": "fine", "default": True, "state": "ready", "labels": labels, "about": about, "threshold": 0.4}
    scores = [0.1, 0.9, *(0.5 - number / 100 for number in range(40))]
    answer = {**server.predict()[2], "model": "fine", "labels": labels, "predictions": [scores]}
    proxy.replies["/api/models"] = Reply(200, "application/json", json.dumps({"default": "fine", "models": [fine]}))
    proxy.replies["/api/predict/"] = Reply(200, "application/json", json.dumps(answer))
    proxied.classify(server.key, ABSTRACT)
    assert proxied.all("#model option") == ["Categories, under their archives (fine)"]
    assert proxied.all("#scores h3") == ["Mathematics (math)", "cs"]
    assert proxied.all("#scores li")[0].split() == ["Combinatorics", "math.CO", "0.900", "✓", "chosen"]
    assert proxied.all("#scores a", "href")[0] == "https://arxiv.org/list/math.CO/recent"
    assert len(proxied.all("#scores li")) == 20
    assert proxied.page.violations() == []
    proxied.click("more")
    assert len(proxied.all("#scores li")) == 42
    assert proxied.get("more", "hidden") is True


def test_an_answer_says_what_was_read_and_what_is_doubtful(screen: Screen, server: Server) -> None:
    said = screen.classify(server.key, "lorem ipsum dolor sit amet " * 150)
    tokens = server.predict("lorem ipsum dolor sit amet " * 150)[2]["tokens"]
    assert f"the first 256 of {tokens:,} tokens" in screen.get("facts")
    assert screen.all("#warnings li")
    assert screen.all("#warnings li")[0] in said


def test_an_example_is_a_click_away(screen: Screen, server: Server) -> None:
    firsts = []
    for number in range(3):
        screen.page.run(f"document.querySelectorAll('.example')[{number}].click()")
        assert "characters (50 to 5000)" in screen.get("count")
        screen.classify(server.key, screen.get("abstract", "value"))
        firsts.append(codes(screen)[0])
    assert firsts == ["gr-qc", "cs", "math"]


def test_the_request_can_be_taken_along(screen: Screen, server: Server) -> None:
    text = f'{ABSTRACT} It\'s a $100 "question" \\ in ‘two’ lines:\nα and β.'
    screen.classify(server.key, text)
    screen.fill("threshold", "0.05")
    categories = [{"label": code} for code in codes(screen, "#scores li.chosen")]
    taken = {}
    for button in ("copy-curl", "copy-python", "copy-json"):
        screen.page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }; null")
        screen.click(button)
        screen.says("Copied.")
        taken[button] = screen.page.run("window.copied")
        assert server.key not in taken[button]
    environment = os.environ | {"KEY": server.key}
    line = ["bash", "-euc", taken["copy-curl"].replace("curl ", "curl -sS ", 1)]
    shown = subprocess.run(line, env=environment, capture_output=True, check=True, timeout=60).stdout
    assert [{"label": one["label"]} for one in json.loads(shown)["categories"]] == categories
    assert json.loads(taken["copy-json"])["categories"] == json.loads(shown)["categories"]
    program = [sys.executable, "-c", taken["copy-python"]]
    printed = subprocess.run(program, env=environment, capture_output=True, check=True, timeout=60).stdout.decode()
    assert [{"label": row.split()[0]} for row in printed.splitlines()] == categories
    assert shlex.split(taken["copy-curl"])[-1].startswith('{"abstract":')


def test_without_a_clipboard_it_is_copied_by_hand(screen: Screen, server: Server) -> None:
    screen.classify(server.key, ABSTRACT)
    screen.page.run("navigator.clipboard.writeText = async () => { throw new Error('no'); }; null")
    screen.click("copy-curl")
    assert screen.page.run("new Promise((done) => setTimeout(() => done(getSelection().toString()), 100))") == (
        screen.get("dialog-text", "value")
    )
    screen.page.press("Escape")
    assert screen.get("dialog", "open") is False


def test_the_stored_prediction_is_shown(screen: Screen, server: Server) -> None:
    screen.classify(server.key, ABSTRACT)
    screen.click("stored")
    until(lambda: screen.get("dialog", "open"))
    answer = server.predict()[2]
    assert screen.get("dialog-title") == f"GET /api/predictions/{answer['id']}"
    assert json.loads(screen.get("dialog-text", "value")) == answer


@pytest.mark.parametrize("kept", [True, False])
def test_the_key_outlives_the_page_only_on_request(screen: Screen, server: Server, kept: bool) -> None:
    if kept:
        screen.click("keep")
    screen.classify(server.key, ABSTRACT)
    screen.open()
    assert screen.get("key", "value") == (server.key if kept else "")
    assert screen.page.run("localStorage.length") == 0
    if kept:
        screen.click("keep")
        assert screen.open().get("key", "value") == ""


def test_the_key_can_be_seen(screen: Screen) -> None:
    kinds = []
    for _ in range(2):
        screen.click("key-show")
        kinds.append((screen.get("key", "type"), screen.get("key-show")))
    assert kinds == [("text", "Hide key"), ("password", "Show key")]


@pytest.mark.parametrize(
    "wrapped", ["Bearer {}", ' "{}"\n', "Authorization: Bearer {}", "X-API-Key: {}", "\u200b{},", '-H "X-API-Key: {}"']
)
def test_what_was_copied_with_a_key_is_removed(screen: Screen, server: Server, wrapped: str) -> None:
    screen.fill("key", wrapped.format(server.key))
    assert screen.get("key", "value") == server.key


def test_it_works_under_a_prefix(proxied: Screen, server: Server) -> None:
    assert "arxiv-mini, from the " in proxied.classify(server.key, ABSTRACT)
    proxied.click("stored")
    until(lambda: proxied.get("dialog", "open"))
    assert json.loads(proxied.get("dialog-text", "value"))["cached"] is True
