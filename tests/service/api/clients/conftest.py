"""A live server, and the OpenAPI document as it serves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.front.test_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).running() as server:
        yield server


@pytest.fixture(scope="module")
def description(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the OpenAPI document."""
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_bytes(server.read("/openapi.json"))
    return path
