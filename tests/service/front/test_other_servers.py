"""The WSGI application under servers that are not ours."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from config import load_settings
from service.bootstrap import Services
from service.jobs.attendants import Attendant
from service.jobs.intake import Intake, listed
from tests.processes import end, start
from tests.service.conftest import ABSTRACT
from tests.service.waiting import until
from tests.sources import ROOT

WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from wsgi import app
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""
SERVERS = {
    "wsgiref": ("-c", WSGIREF),
    "granian": ("-m", "granian", "--interface", "wsgi", "--no-log", "wsgi:app", "--port"),
}


@pytest.fixture(params=SERVERS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where the application is served, and a key; the process itself holds the key as HTTP_X_API_KEY."""
    variables = {"ABSTRACTS_DATA_DIR": str(tmp_path), "ABSTRACTS_LOG_LEVEL": "WARNING"}
    with closing(Services(load_settings(variables))) as services:
        made, key = services.keys.create("x", ["predict"])
        leave_job(services, made.id)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environ = os.environ | variables | {"HTTP_X_API_KEY": key, "HTTP_PREFER": "respond-async"}
    process = start([sys.executable, *SERVERS[request.param], str(port)], cwd=ROOT, env=environ)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url))
        yield url, key
    finally:
        end(process)


def leave_job(services: Services, owner: str) -> None:
    """Takes in a job that nobody works off."""
    idle = Idle()
    intake = Intake(services.jobs, services.models, lambda: idle, maximum=10)
    intake.submit(owner, listed([ABSTRACT]), {}, None)
    idle.close()


class Idle(Attendant):
    """Is woken for nothing."""

    def attend(self) -> float:
        """Goes on sleeping."""
        return 60.0


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/livez", timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


def test_it_answers_and_takes_no_variable_for_a_header(address: tuple[str, str]) -> None:
    url, key = address
    assert requests.post(f"{url}/api/predict/", json={"abstract": ABSTRACT}, timeout=60).status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    for cached in (False, True):
        answer = requests.post(f"{url}/api/predict/", json={"abstract": ABSTRACT}, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["cached"]) == (200, cached)
    answer = requests.post(f"{url}/api/predict/", json={"abstract": "x" * 100_000}, headers=headers, timeout=60)
    assert answer.status_code == 413


def test_a_job_that_was_left_behind_goes_on_without_a_request(address: tuple[str, str], tmp_path: Path) -> None:
    """None but the one that tells that the server is up."""
    with closing(Services(load_settings({"ABSTRACTS_DATA_DIR": str(tmp_path)}))) as services:
        (job,) = services.jobs.of(services.keys.list()[0].id, None, 2)
        until(lambda: services.jobs.progress(job).done == 1)
