"""A server, a browser, and a proxy between them."""

from collections.abc import Iterator

import pytest

from tests.service.front.test_server import Server
from tests.service.web.browser import Browser, Page, browsing, chromium
from tests.service.web.proxy import Proxy
from tests.service.web.screen import Screen


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).running() as server:
        yield server


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.fail("there is no Chromium on this machine (on Debian: apt install chromium)")
    with browsing(program, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.tab() as page:
        yield page


@pytest.fixture
def screen(page: Page, server: Server) -> Screen:
    return Screen(page, f"http://127.0.0.1:{server.port}/").open()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port).running() as proxy:
        yield proxy


@pytest.fixture
def proxied(page: Page, proxy: Proxy) -> Screen:
    return Screen(page, proxy.address).open()
