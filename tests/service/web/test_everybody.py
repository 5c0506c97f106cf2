"""The page on small and large windows, light and dark, by keyboard alone, and for those who hear it."""

import re
from pathlib import Path

import pytest

from bench.papers.document import make_pdf
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.pdf.papers import head
from tests.service.waiting import until
from tests.service.web.browser import CONTROL, Page
from tests.service.web.picture import shrink
from tests.service.web.proxy import Proxy, Reply
from tests.service.web.screen import Screen
from tests.service.web.test_files import PAPER, rows, send
from tests.sources import ROOT

WIDTHS = (320, 768, 1280)
SCHEMES = ("light", "dark")


def well_made(screen: Screen) -> None:
    """No rule of accessibility is broken, and nothing is wider than the window."""
    assert screen.page.violations() == []
    assert screen.page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_state_of_a_text_is_for_everybody(
    proxied: Screen, proxy: Proxy, server: Server, width: int, scheme: str
) -> None:
    screen = proxied
    screen.page.look(width, scheme)
    well_made(screen)
    screen.classify("abs_…", ABSTRACT)
    well_made(screen)
    screen.classify(server.key, "Too short.")
    well_made(screen)
    screen.classify(server.key, "lorem ipsum dolor sit amet " * 20)
    assert screen.all("#warnings li")
    well_made(screen)
    screen.click("stored")
    until(lambda: screen.get("dialog", "open"))
    well_made(screen)
    screen.click("dialog-close")
    proxy.replies["/api/predict/"] = Reply(429, "text/html", "", {"Retry-After": "100"})
    screen.classify(server.key, ABSTRACT)
    until(lambda: "send it again in" in screen.get("countdown"))
    well_made(screen)
    proxy.held.add("/api/predict/")
    screen.click("send")
    assert screen.get("cancel", "hidden") is False
    well_made(screen)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_state_of_files_is_for_everybody(
    proxied: Screen, proxy: Proxy, server: Server, tmp_path: Path, width: int, scheme: str
) -> None:
    long_name = "a_name_of_a_file_without_a_place_to_break_it_" * 3
    (tmp_path / f"{long_name}.pdf").write_bytes(PAPER)
    (tmp_path / "bare.pdf").write_bytes(make_pdf(head()))
    (tmp_path / f"{long_name}.csv").write_text(f"id,abstract\n{long_name},{ABSTRACT}\nb,short\n", "utf-8")
    proxied.page.look(width, scheme)
    send(proxied, server.key, *(tmp_path / name for name in (f"{long_name}.pdf", "bare.pdf", f"{long_name}.csv")))
    well_made(proxied)
    proxied.says(".csv: done")
    well_made(proxied)
    assert len(rows(proxied, "#papers") + rows(proxied, "#jobs")) == 4
    send(proxied, server.key, tmp_path / f"{long_name}.csv")
    proxied.says(".csv: done")
    well_made(proxied)


def test_the_colours_follow_the_scheme(screen: Screen) -> None:
    papers = set()
    for scheme in SCHEMES:
        screen.page.look(1280, scheme)
        papers.add(screen.page.run("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2


def test_forced_colours_keep_bars_and_line(screen: Screen, server: Server) -> None:
    screen.classify(server.key, ABSTRACT)
    screen.page.send("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    paper, chosen, other = (
        screen.page.run(f"getComputedStyle(document.querySelector('{selector}')).backgroundColor")
        for selector in ("body", ".chosen .fill", "li:not(.chosen) .fill")
    )
    assert len({paper, chosen, other}) == 3


def focus(page: Page) -> str:
    return str(page.run("document.activeElement.id || document.activeElement.textContent.trim()"))


def tab_to(page: Page, name: str) -> None:
    """Goes on with the tabulator until that has the focus."""
    seen = []
    while focus(page) != name:
        page.press("Tab")
        seen.append(focus(page))
        assert len(seen) < 60, seen


def test_all_can_be_done_by_keyboard(screen: Screen, server: Server) -> None:
    page = screen.page
    page.run("window.pressed = []; addEventListener('pointerdown', () => pressed.push(1)); null")
    tab_to(page, "key")
    page.type(server.key)
    tab_to(page, "Gravitational waves")
    page.press("Enter")
    tab_to(page, "model")
    until(lambda: len(screen.all("#model option")) == 3)
    tab_to(page, "threshold")
    page.press("End")
    assert screen.get("threshold-value") == "1.00"
    page.press("Enter", CONTROL)
    screen.says("no label reaches the threshold")
    assert focus(page) == "threshold"
    tab_to(page, "threshold-reset")
    page.press(" ")
    assert len(screen.all("#scores li.chosen")) == 3
    tab_to(page, "send")
    page.press("Enter")
    screen.says("from the store")
    assert focus(page) == "send"
    tab_to(page, "stored")
    page.press("Enter")
    until(lambda: screen.get("dialog", "open"))
    page.press("Escape")
    until(lambda: not screen.get("dialog", "open"))
    assert focus(page) == "stored"
    assert page.run("pressed.length") == 0


def test_what_happens_is_announced_once(screen: Screen, server: Server) -> None:
    screen.page.run(
        "window.said = []; new MutationObserver(() => said.push(document.getElementById('status').textContent))"
        ".observe(document.getElementById('status'), { childList: true }); null"
    )
    screen.classify(server.key, ABSTRACT)
    said = screen.page.run("said")
    assert said[0] == "Asking…"
    assert len(said) == 2
    assert screen.get("status", "getAttribute('role')") == "status"
    assert screen.get("countdown", "getAttribute('aria-live')") == "off"


def test_without_javascript_it_says_what_to_do(server: Server) -> None:
    text = server.read("/").decode()
    notice = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)
    assert notice is not None
    assert "needs JavaScript" in notice[1]
    assert "curl" in notice[1]


def test_the_page_is_photographed(screen: Screen, server: Server) -> None:
    """`make screenshot` puts the picture into docs: a stored answer to an example."""
    screen.page.run("document.querySelector('.example').click()")
    for _ in range(2):
        screen.classify(server.key, screen.get("abstract", "value"))
    picture = shrink(screen.page, screen.page.photograph(1280))
    assert int.from_bytes(picture[16:20]) == 1280
    assert len(picture) < 150_000
    Path(ROOT, "build").mkdir(exist_ok=True)
    Path(ROOT, "build", "page.png").write_bytes(picture)
