"""Variables of the process never count as headers of a request."""

import os
import threading
from collections.abc import Iterator
from wsgiref.handlers import BaseHandler
from wsgiref.simple_server import WSGIServer, make_server

import pytest
import requests

from service.app import create_app
from tests.service.conftest import MakeServices


@pytest.fixture
def server(make_services: MakeServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """wsgiref's server, which hands its environment over, in a process whose environment holds a good key."""
    services = make_services()
    key = services.keys.create("x", ["read"])[1]
    monkeypatch.setenv("HTTP_X_API_KEY", key)
    monkeypatch.setenv("HTTP_AUTHORIZATION", f"Bearer {key}")
    monkeypatch.setattr(BaseHandler, "os_environ", dict(os.environ))
    running: WSGIServer = make_server("127.0.0.1", 0, create_app(services=services))
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}/api/models", services.keys.create("y", ["read"])[1]
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_key_in_the_environment_lets_nobody_in(server: tuple[str, str]) -> None:
    url, key = server
    assert requests.get(url, timeout=60).status_code == 401
    assert requests.get(url, headers={"X-API-Key": key}, timeout=60).status_code == 200
