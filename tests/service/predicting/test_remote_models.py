"""Models that run on another server: what readiness says of them. The server here answers only the status endpoint."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from service.app import create_app
from tests.service.conftest import MakeServices


@pytest.fixture
def states() -> dict[str, str]:
    """State of each model on the server."""
    return {}


@pytest.fixture
def url(states: dict[str, str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            versions = [{"version": "1", "state": state} for name, state in states.items() if self.path.endswith(name)]
            body = json.dumps({"model_version_status": versions} if versions else {"error": "no such model"}).encode()
            self.send_response(200 if versions else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_readiness_follows_the_server_that_runs_the_model(
    url: str, states: dict[str, str], make_services: MakeServices
) -> None:
    client = create_app(services=make_services(TFSERVING_URL=url)).test_client()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["models"]["arxiv-mini"] == "unreachable"
    states["arxiv-mini"] = "LOADING"
    assert client.get("/readyz").status_code == 503
    states["arxiv-mini"] = "AVAILABLE"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["models"]["arxiv-mini"] == "ready"
    assert answer.json["models"]["scibert-multi"] == "not installed"
