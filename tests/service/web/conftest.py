"""A server, a browser, and a proxy between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.front.test_server import Server
from tests.service.web.browser import Page, browsing, chromium
from tests.service.web.proxy import Proxy
from tests.service.web.screen import Screen


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).running() as server:
        yield server


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    program = chromium()
    if program is None:
        pytest.fail("there is no Chromium on this machine (on Debian: apt install chromium)")
    with browsing(program, tmp_path / "profile") as page:
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
