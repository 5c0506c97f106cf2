"""What Celery workers count: served by the worker for all its processes, whatever becomes of them."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from config import load_settings
from service.bootstrap import Services
from service.jobs.intake import Intake
from tests.processes import end, start
from tests.service.jobs.brokers import free_ports, redis
from tests.service.jobs.test_brokers import CELERY, ITEMS, ROOT, look, submit, variables
from tests.service.waiting import until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis(tmp_path_factory.mktemp("broker")) as url:
        yield url


@contextmanager
def worker(folder: Path, broker: str, port: int, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A Celery worker of two processes that serves /metrics."""
    environ = os.environ | variables(folder, broker) | {"ABSTRACTS_METRICS_PORT": str(port)}
    process = start([*CELERY, "--concurrency=2", *options], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        end(process)
        process.communicate()


def scrape(port: int) -> dict[str, float]:
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def answers(port: int) -> float:
    return sum(value for name, value in scrape(port).items() if name.startswith("abstracts_answers_total"))


def children(process: "subprocess.Popen[str]") -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_all_processes_count_together_and_a_killed_one_is_not_forgotten(tmp_path: Path, broker: str) -> None:
    (port,) = free_ports(1)
    services = Services(load_settings(variables(tmp_path, broker)))
    services.keys.create("x", ["predict"])
    try:
        with worker(tmp_path, broker, port) as process:
            now = look(services, submit(services))
            until(lambda: now().done > 0)
            seen, dead = answers(port), children(process)[-1]
            assert seen > 0
            os.kill(dead, signal.SIGKILL)
            until(lambda: dead not in children(process) and len(children(process)) == 2)
            assert answers(port) >= seen
            until(lambda: now().done == len(ITEMS), 120)
            until(lambda: answers(port) >= len(ITEMS))
            process.terminate()
            until(lambda: process.poll() is not None)
            assert process.returncode == 0
    finally:
        services.close()


def test_log_lines_of_a_chunk_name_the_request_that_its_job_came_with(tmp_path: Path, broker: str) -> None:
    services = Services(load_settings(variables(tmp_path, broker)))
    key = services.keys.create("x", ["predict"])[0]
    intake = Intake(services.jobs, services.models, lambda: services.attendant, len(ITEMS))
    (port,) = free_ports(1)
    try:
        with worker(tmp_path, broker, port, "--loglevel=INFO") as process:
            intake.submit(key.id, ITEMS[:1], {}, request="the-one")
            assert process.stderr is not None
            line = next(line for line in process.stderr if "finished chunk 1 of 1" in line)
    finally:
        services.close()
    assert line.endswith(" (request the-one)\n")


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with worker(tmp_path, broker, port) as process:
            _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert f"Error: ABSTRACTS_METRICS_PORT: cannot listen on 127.0.0.1:{port}" in errors
    assert "Traceback" not in errors
