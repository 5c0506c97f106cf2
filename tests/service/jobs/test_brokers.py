"""Jobs through a real Redis and a real RabbitMQ: a worker is killed in the middle, and the job still ends complete."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import load_settings
from service.bootstrap import Services
from service.jobs.broker import BrokerDispatcher
from service.jobs.intake import Intake
from storage.records.jobs import Job
from tests.processes import end, start
from tests.service.conftest import ABSTRACT
from tests.service.jobs.brokers import free_ports, rabbitmq, redis
from tests.service.waiting import until

ROOT = Path(__file__).parents[3]
ITEMS = [f"{ABSTRACT * 5} This is measurement number {i}." for i in range(120)]
CELERY = [
    str(Path(sys.executable).parent / "celery"),
    "-A",
    "service.worker",
    "worker",
    "--concurrency=1",
    "--loglevel=WARNING",
]


@pytest.fixture(scope="module", params=[redis, rabbitmq], ids=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with request.param(tmp_path_factory.mktemp("broker")) as url:
        yield url


def variables(folder: Path, broker: str) -> dict[str, str]:
    return {"ABSTRACTS_DATA_DIR": str(folder), "ABSTRACTS_JOBS_BROKER_URL": broker, "ABSTRACTS_THREADS": "1"}


@contextmanager
def worker(folder: Path, broker: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker with its children, in a process group of its own."""
    with (folder / "worker.log").open("ab") as log:
        process = start(CELERY, cwd=ROOT, env=os.environ | variables(folder, broker), stdout=log, stderr=log)
    try:
        yield process
    finally:
        end(process)


@pytest.fixture
def services(tmp_path: Path, broker: str) -> Iterator[Services]:
    opened = Services(load_settings(variables(tmp_path, broker)))
    opened.keys.create("x", ["predict"])
    yield opened
    opened.close()


def submit(services: Services) -> Job:
    """What the route does."""
    intake = Intake(services.jobs, services.models, lambda: services.attendant, len(ITEMS))
    return intake.submit(services.keys.list()[0].id, ITEMS, {})


def look(services: Services, job: Job) -> Callable[[], Job]:
    def now() -> Job:
        found = services.jobs.find(job.id)
        assert found is not None
        return found

    return now


def test_a_job_survives_its_worker(services: Services, tmp_path: Path, broker: str) -> None:
    with worker(tmp_path, broker) as first:
        job = submit(services)
        now = look(services, job)
        until(lambda: now().done > 0 or first.poll() is not None)
        assert first.poll() is None, (tmp_path / "worker.log").read_text()
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(60)
    stopped = now()
    assert 0 < stopped.done < len(ITEMS)
    with worker(tmp_path, broker):
        until(lambda: now().over, 120)
    done = now()
    assert (done.state, done.done, done.problems) == ("done", len(ITEMS), 0)
    assert done.resumed_done == stopped.done
    assert len(list(services.jobs.outcomes(done))) == len(ITEMS)


def test_a_job_waits_for_a_broker_that_is_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    services = Services(load_settings(variables(tmp_path, f"redis://127.0.0.1:{port}/0")))
    services.keys.create("x", ["predict"])
    try:
        job = submit(services)
        until(lambda: "the broker does not answer" in caplog.text)
        assert look(services, job)().state == "queued"
    finally:
        services.close()


def test_a_dispatcher_sends_once_and_again_when_a_worker_has_died(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    dispatcher = BrokerDispatcher(services.jobs, "memory://")
    monkeypatch.setattr(dispatcher, "_send", sent.append)
    job = services.jobs.create("owner", "arxiv-mini", ["a text"])
    dispatcher.attend()
    dispatcher.attend()
    assert sent == [job.id]
    monkeypatch.setattr(services.jobs, "lease", -services.jobs.lease)
    assert services.jobs.claim("one that dies") is not None
    dispatcher.attend()
    dispatcher.attend()
    assert sent == [job.id] * 2
    dispatcher.close()


def test_without_a_broker_there_is_nothing_to_work_for(tmp_path: Path) -> None:
    done = subprocess.run(CELERY, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "ABSTRACTS_JOBS_BROKER_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr
