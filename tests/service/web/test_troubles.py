"""What the page says when something is wrong."""

import json
from collections.abc import Mapping

import pytest

from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until
from tests.service.web.proxy import Proxy, Reply
from tests.service.web.screen import QUICK, Screen

PREDICT = "/api/predict/"
PROBLEM = "application/problem+json"
LIMITED = {"type": "/problems/limit-exceeded", "title": "A rate limit is used up", "status": 429, "detail": "Wait."}


def wrong(screen: Screen) -> Mapping[str, str]:
    """The fields that are marked, with what is said of them."""
    names = screen.all("[aria-invalid=true]", "id")
    for name in names:
        assert f"{name}-error" in screen.get(name, "getAttribute('aria-describedby')").split()
    return {name: screen.get(f"{name}-error") for name in names}


def test_what_is_wrong_is_told_at_its_field(screen: Screen, server: Server) -> None:
    said = screen.classify(server.key, "Too short.")
    assert said.startswith("Problem: abstract: ")
    assert list(wrong(screen)) == ["abstract"]
    assert screen.get("count") == "10 characters (50 to 5000)"
    assert screen.get("result", "hidden") is True
    screen.fill("abstract", ABSTRACT)
    assert wrong(screen) == {}
    screen.fill("top_k", "0")
    screen.classify(server.key, ABSTRACT)
    assert list(wrong(screen)) == ["top_k"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "Paste your API key here."),
        ("abs_…", "the character “…” (U+2026), which is at place 5"),
        ("abs_x\u0430b", "the character “\u0430” (U+0430), which is at place 6"),
        (
            "abs_wrong",
            "Paste the key whole, as it was shown when it was made; whoever runs this service can",
        ),
    ],
)
def test_a_bad_key_is_told_with_the_remedy(screen: Screen, key: str, words: str) -> None:
    assert words in screen.classify(key, ABSTRACT)
    assert words in wrong(screen)["key"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(502, "text/html", "<h1>Bad Gateway</h1>"), "The service is not running behind its proxy."),
        (Reply(504, "text/html", "<h1>Gateway Time-out</h1>"), "did not answer its proxy in time"),
        (Reply(413, "text/html", "<h1>Request Entity Too Large</h1>"), "finds the file too large"),
        (Reply(401, "text/html", "<h1>Log in</h1>"), "asks for a login"),
        (Reply(418, "text/plain", "a teapot"), "(418"),
        (Reply(200, "text/html", "<h1>Log in</h1>"), "Something in front of this service answered in its place"),
        (Reply(200, "application/json", '{"id": "3f'), "Something in front of this service answered in its place"),
        (None, "The service cannot be reached."),
    ],
)
def test_what_is_not_the_service_is_told_in_words(
    proxied: Screen, proxy: Proxy, server: Server, reply: Reply | None, words: str
) -> None:
    proxied.classify(server.key, ABSTRACT)
    assert proxied.get("result", "hidden") is False
    proxy.replies[PREDICT] = reply
    said = proxied.classify(server.key, ABSTRACT)
    assert words in said
    assert "<h1>" not in said
    assert wrong(proxied) == {}
    assert proxied.get("result", "hidden") is True
    del proxy.replies[PREDICT]
    assert "from the" in proxied.classify(server.key, ABSTRACT)


def test_a_limit_counts_down(proxied: Screen, proxy: Proxy, server: Server) -> None:
    proxy.replies[PREDICT] = Reply(429, PROBLEM, json.dumps(LIMITED), {"Retry-After": "2"})
    assert proxied.classify(server.key, ABSTRACT) == "Problem: Wait."
    seen: list[str] = []

    def over() -> bool:
        seen.append(proxied.get("countdown"))
        return "now" in proxied.status

    until(over)
    assert {"You can send it again in 2 s.", "You can send it again in 1 s."} <= set(seen)
    assert proxied.get("countdown") == ""
    proxied.classify(server.key, ABSTRACT)
    del proxy.replies[PREDICT]
    assert "from the" in proxied.classify(server.key, ABSTRACT)
    assert proxied.get("countdown") == ""


def test_a_slow_answer_can_be_waited_for_or_cancelled(proxied: Screen, proxy: Proxy, server: Server) -> None:
    proxied.page.send("Page.enable")
    proxied.page.send("Page.addScriptToEvaluateOnNewDocument", source=QUICK)
    proxied.open()
    proxy.held.add(PREDICT)
    proxied.fill("key", server.key)
    proxied.fill("abstract", ABSTRACT)
    proxied.get("abstract", "focus()")
    proxied.page.press("Enter", 2)
    proxied.says("No answer after 15 seconds.")
    assert proxied.get("cancel", "hidden") is False
    assert proxied.page.run("document.activeElement.id") == "abstract"
    proxied.click("send")
    proxied.get("cancel", "focus()")
    proxied.page.press("Enter")
    proxied.says("Cancelled.")
    assert proxied.page.run("document.activeElement.id") == "send"
    assert proxied.get("cancel", "hidden") is True
    proxied.click("send")
    proxied.says("No answer after 15 seconds.")
    proxy.release.set()
    proxied.says("from the ")


def test_a_dead_server_is_told(proxied: Screen, proxy: Proxy, server: Server) -> None:
    proxied.fill("key", server.key)
    until(lambda: len(proxied.all("#model option")) == 3)
    proxy.upstream = "http://127.0.0.1:9"
    assert "The service cannot be reached." in proxied.classify(server.key, ABSTRACT)


def test_without_the_scope_to_read_the_default_model_answers(proxied: Screen, proxy: Proxy, server: Server) -> None:
    problem = {
        "type": "/problems/scope-missing",
        "title": "x",
        "status": 403,
        "detail": "The key lacks the scope read.",
    }
    proxy.replies["/api/models"] = Reply(403, PROBLEM, json.dumps(problem))
    assert "from the" in proxied.classify(server.key, ABSTRACT)
    assert "The key lacks the scope read." in proxied.get("model-note")
    assert proxied.all(".mark") == []
    answer = server.predict()[2]
    assert proxied.all("li.chosen .name") == [category["label"] for category in answer["categories"]]


def test_text_of_the_service_is_never_markup(proxied: Screen, proxy: Proxy, server: Server) -> None:
    label = "<img src=x onerror=alert(1)>" + "long" * 100
    answer = {**server.predict()[2], "labels": [label], "predictions": [[0.9]], "categories": [], "warnings": []}
    proxy.replies[PREDICT] = Reply(200, "application/json", json.dumps(answer))
    proxied.page.look(320)
    proxied.classify(server.key, ABSTRACT)
    assert proxied.all("#scores .name") == [label]
    assert proxied.page.run("document.images.length") == 0
    assert proxied.page.run("document.documentElement.scrollWidth") <= 320
