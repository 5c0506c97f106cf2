"""Jobs in a real server process: killed in the middle, they go on where they stopped."""

import json
from pathlib import Path

import requests

from config import load_settings
from service.bootstrap import Services
from tests.service.conftest import ABSTRACT
from tests.service.test_server import Server
from tests.service.waiting import until

ITEMS = [f"{ABSTRACT * 5} This is measurement number {i}." for i in range(400)]


def test_a_job_survives_kill_9(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.running():
        status, headers, job = server.ask("POST", "/api/jobs", json.dumps({"abstracts": ITEMS}).encode())
        assert (status, headers["location"]) == (202, f"/api/jobs/{job['id']}")
        until(lambda: server.ask("GET", headers["location"])[2]["done"])
        server.kill()
    with server.running():
        resumed = server.ask("GET", headers["location"])[2]
        assert 0 < resumed["done"] < len(ITEMS)
        until(lambda: server.ask("GET", headers["location"])[2]["state"] == "done", 120)
        lines = requests.get(
            f"http://127.0.0.1:{server.port}{headers['location']}/results",
            headers={"X-API-Key": server.key},
            timeout=60,
        ).text.splitlines()
        last = server.predict(ITEMS[-1])[2]
    assert len({json.loads(line)["id"] for line in lines}) == len(ITEMS)
    assert {**json.loads(lines[-1]), "cached": True} == last


def test_a_server_that_stops_gives_its_job_back_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.running():
        id = server.ask("POST", "/api/jobs", json.dumps({"abstracts": ITEMS}).encode())[2]["id"]
        until(lambda: server.ask("GET", f"/api/jobs/{id}")[2]["done"])
    services = Services(load_settings(server.variables))
    job = services.jobs.find(id)
    services.close()
    assert job is not None
    assert (job.state, job.holder) == ("queued", None)
    assert 0 < job.done < len(ITEMS)
