"""Jobs in a real server process: killed in the middle, they go on where they stopped."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from config import load_settings
from service.bootstrap import Services
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until

ITEMS = [f"{ABSTRACT * 5} This is measurement number {i}." for i in range(120)]


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
        lines = download(server, headers["location"]).splitlines()
        last = server.predict(ITEMS[-1])[2]
    assert len({json.loads(line)["id"] for line in lines}) == len(ITEMS)
    assert {**json.loads(lines[-1]), "cached": True} == last


def test_a_server_that_sleeps_past_its_leases_changes_nothing(tmp_path: Path) -> None:
    sleeper, other = Server(tmp_path), Server(tmp_path)
    other.key = sleeper.key
    body = json.dumps({"abstracts": [{"abstract": text, "id": i} for i, text in enumerate(ITEMS)]}).encode()
    with sleeper.running():
        assert sleeper.process is not None
        path = sleeper.ask("POST", "/api/jobs", body)[1]["location"]
        until(lambda: sleeper.ask("GET", path)[2]["done"])
        with asleep(sleeper.process.pid), other.running():
            until(lambda: other.ask("GET", path)[2]["state"] == "done", 120)
            first = download(other, path)
        state = sleeper.ask("GET", path)[2]
        after = post_and_wait(sleeper, "woken, and what it had is behind it")
        results = download(sleeper, path)
    assert [json.loads(line)["input_id"] for line in first.splitlines()] == [str(i) for i in range(len(ITEMS))]
    assert results == first
    assert (state["state"], state["done"], after["state"]) == ("done", len(ITEMS), "done")


@contextmanager
def asleep(group: int) -> Iterator[None]:
    """Stops a group of processes, and lets them go on at the end."""
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


def download(server: Server, path: str) -> bytes:
    """A job's results."""
    url = f"http://127.0.0.1:{server.port}{path}/results"
    response = requests.get(url, headers={"X-API-Key": server.key}, timeout=60)
    assert response.status_code == 200
    return response.content


def post_and_wait(server: Server, text: str) -> dict[str, Any]:
    """A job that is over."""
    path = server.ask("POST", "/api/jobs", json.dumps({"abstracts": [f"{ABSTRACT} {text}"]}).encode())[1]["location"]
    until(lambda: server.ask("GET", path)[2]["state"] == "done", 60)
    job: dict[str, Any] = server.ask("GET", path)[2]
    return job


def test_a_server_that_stops_gives_its_job_back_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.running():
        id = server.ask("POST", "/api/jobs", json.dumps({"abstracts": ITEMS}).encode())[2]["id"]
        until(lambda: server.ask("GET", f"/api/jobs/{id}")[2]["done"])
    services = Services(load_settings(server.variables))
    job = services.jobs.find(id)
    assert job is not None
    done, free = services.jobs.progress(job).done, services.jobs.todo(id, len(ITEMS))
    services.close()
    assert 0 < done < len(ITEMS)
    assert done + sum(job.items_in(number) for number, _ in free) == len(ITEMS)


def test_an_upload_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path)
    lines = "".join(json.dumps({"abstract": text}) + "\n" for text in ITEMS).encode()
    head = f"POST /api/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\nContent-Type: application/x-ndjson\r\n"
    with server.running():
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(f"{head}Content-Length: {len(lines)}\r\n\r\n".encode() + lines[: len(lines) // 2])
        assert server.predict()[0] == 200  # the next connection: the server is done with the one before
    services = Services(load_settings(server.variables))
    try:
        assert sum(1 for _ in services.backend.scan("jobs")) == 0
    finally:
        services.close()


def test_an_upload_of_unknown_length_is_bounded(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.variables["ABSTRACTS_JOB_MAX"] = "10"
    headers = {"X-API-Key": server.key, "Content-Type": "application/x-ndjson"}
    url = f"http://127.0.0.1:{server.port}/api/jobs"
    lines = [json.dumps({"abstract": text}).encode() + b"\n" for text in ITEMS[:11]]
    with server.running():
        assert requests.post(url, iter(lines[:10]), headers=headers, timeout=60).status_code == 202
        assert requests.post(url, iter(lines), headers=headers, timeout=60).status_code == 400
        assert requests.post(url, iter([b"x" * 10_000] * 9), headers=headers, timeout=60).status_code == 413
