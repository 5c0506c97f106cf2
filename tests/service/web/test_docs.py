"""/docs: the OpenAPI document to be read and tried, in a real browser."""

import json
from functools import partial

import pytest

from tests.service.front.test_server import Server
from tests.service.waiting import until
from tests.service.web.browser import Page
from tests.service.web.proxy import Proxy
from tests.service.web.screen import Screen

SHOWN = "document.querySelectorAll('.opblock').length > 10"


@pytest.fixture
def docs(page: Page, proxy: Proxy) -> Screen:
    screen = Screen(page, f"{proxy.address}docs").open()
    until(lambda: page.run(SHOWN))
    return screen


def test_it_follows_the_scheme(docs: Screen) -> None:
    for scheme, expected in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(28, 32, 34)")):
        docs.page.look(1280, scheme)
        until(partial(_has, docs, expected))
        until(partial(_is_written_in, docs, light=scheme == "dark"))


def _is_written_in(docs: Screen, *, light: bool) -> bool:
    """Whether the ink, which may still change slowly, is light, or dark."""
    ink = docs.page.run("getComputedStyle(document.querySelector('.opblock-tag')).color")
    return (int(ink[4:].split(",")[0]) > 160) if light else (int(ink[4:].split(",")[0]) < 96)


def test_what_is_tried_goes_to_where_the_page_is(docs: Screen, proxy: Proxy) -> None:
    assert docs.all(".servers option", "value") == [proxy.address.removesuffix("/")]


def test_the_page_and_it_have_one_key(docs: Screen, proxy: Proxy, server: Server) -> None:
    assert docs.get("keep", "checked") is False
    page = Screen(docs.page, proxy.address).open()
    page.click("keep")
    page.fill("key", server.key)
    docs.open()
    until(lambda: docs.page.run(SHOWN))
    assert docs.get("keep", "checked") is True
    docs.press_on(".opblock:has([data-path='/api/models']) .opblock-summary-control")
    docs.press_on(".try-out__btn")
    docs.press_on(".execute")
    until(lambda: docs.all(".live-responses-table .response-col_status"))
    assert "200" in docs.all(".live-responses-table .response .response-col_status")[0]


def _has(docs: Screen, paper: str) -> bool:
    return bool(docs.page.run("getComputedStyle(document.body).backgroundColor") == paper)


@pytest.mark.parametrize("kept", [True, False])
def test_a_key_that_is_given_here_is_kept_on_request(docs: Screen, server: Server, kept: bool) -> None:
    if kept:
        docs.click("keep")
    docs.press_on(".authorize")
    until(lambda: docs.all(".modal-ux input"))
    docs.page.run("document.querySelector('.modal-ux input').focus()")
    docs.page.type(server.key)
    docs.press_on(".modal-ux .authorize")
    until(
        lambda: docs.page.run("[...document.querySelectorAll('.modal-ux button')].some((b) => b.innerText == 'Logout')")
    )
    found = json.loads(docs.page.run("JSON.stringify(Object.values(sessionStorage))"))
    assert found == ([server.key] if kept else [])
    docs.page.run("[...document.querySelectorAll('.modal-ux button')].find((b) => b.innerText == 'Logout').click()")
    until(lambda: docs.page.run("sessionStorage.length") == 0)
