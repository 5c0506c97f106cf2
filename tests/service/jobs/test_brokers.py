"""Jobs through a real Redis and a real RabbitMQ: a worker is killed in the middle, and the job still ends complete."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from config import load_settings
from service.bootstrap import Services
from service.jobs.attendants import ASK_AFTER, MESSAGES, RESEND_AFTER, Dispatcher
from service.jobs.broker import QUEUE, make_celery
from service.jobs.intake import Intake
from service.worker import work
from storage.records.chunks import Counts
from storage.records.job import Job
from storage.records.jobs import CHUNK
from storage.records.progress import Progress
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
    return intake.submit(services.keys.list()[0].id, ITEMS, {})[0]


def look(services: Services, job: Job) -> Callable[[], Progress]:
    def now() -> Progress:
        found = services.jobs.find(job.id)
        assert found is not None
        return services.jobs.progress(found)

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
        until(lambda: now().done == len(ITEMS), 120)
    until(lambda: services.jobs.waiting() == [])
    ended = services.jobs.find(job.id)
    assert ended is not None
    assert (ended.state, now().counts.problems) == ("done", 0)
    lines = b"".join(services.jobs.results(ended)).splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == len(ITEMS)


def test_a_job_waits_for_a_broker_that_is_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    services = Services(load_settings(variables(tmp_path, f"redis://127.0.0.1:{port}/0")))
    services.keys.create("x", ["predict"])
    try:
        job = submit(services)
        until(lambda: "the broker does not answer" in caplog.text)
        assert look(services, job)().started_at is None
    finally:
        services.close()


class Sent:
    """A dispatcher, what it has sent, and a clock for it."""

    def __init__(self, services: Services) -> None:
        self.chunks: list[tuple[str, int]] = []
        self.now = 0.0
        self.queued = 1
        send = lambda id, number: self.chunks.append((id, number))  # noqa: E731
        self.dispatcher = Dispatcher(services.jobs, send, lambda: self.queued, self.clock)

    def clock(self) -> float:
        return self.now

    def take(self) -> list[tuple[str, int]]:
        """What one look sends."""
        self.chunks.clear()
        self.dispatcher.attend()
        return list(self.chunks)


def test_a_dispatcher_sends_a_few_chunks_ahead_keys_in_turn(services: Services) -> None:
    sent = Sent(services)
    big = services.jobs.create("a", "arxiv-mini", ["a text"] * CHUNK * 2 * MESSAGES)
    assert sent.take() == [(big.id, number) for number in range(MESSAGES)]
    small = services.jobs.create("b", "arxiv-mini", ["a text"])
    assert sent.take() == []
    for number in range(3):
        assert services.jobs.claim(big.id, "w", number) is not None
    assert sorted(sent.take()) == sorted([(small.id, 0), (big.id, MESSAGES), (big.id, MESSAGES + 1)])
    services.jobs.delay(big, timedelta(minutes=1))
    assert sent.take() == []


def test_a_dispatcher_sends_again_what_seems_lost_or_was_left(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent(services)
    job = services.jobs.create("owner", "arxiv-mini", ["a text"])
    assert [sent.take(), sent.take()] == [[(job.id, 0)], []]
    sent.now += RESEND_AFTER
    assert [sent.take(), sent.take()] == [[(job.id, 0)], []]
    sent.now += ASK_AFTER
    assert sent.take() == []
    sent.queued = 0
    assert [sent.take(), sent.take()] == [[(job.id, 0)], []]
    claim = services.jobs.claim(job.id, "one that gives it back")
    assert claim is not None
    assert sent.take() == []
    services.jobs.release(claim, [], Counts())
    assert [sent.take(), sent.take()] == [[(job.id, 0)], []]


def test_a_message_that_a_dead_worker_took_is_sent_again(services: Services, broker: str) -> None:
    app = make_celery(broker)
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[QUEUE](connection.default_channel)
        job = submit(services)
        messages: list[list[object]] = []

        def taken() -> int:
            message = queue.get()  # and never acknowledged
            arguments = [None] if message is None else message.decode()[0]
            if arguments[0] == job.id:  # other tests leave theirs behind
                messages.append(arguments)
            return len(messages)

        chunks = len(job.numbers)
        until(lambda: taken() == 2 * chunks)
    assert messages[:chunks] == messages[chunks:] == [[job.id, number] for number in job.numbers]


def test_a_message_too_many_does_no_harm(services: Services) -> None:
    job = services.jobs.create(services.keys.list()[0].id, "arxiv-mini", ITEMS[: CHUNK + 1])
    work(services, job.id, 0)
    before = services.jobs.find(job.id)
    work(services, job.id, 0)
    work(services, job.id, 7)
    work(services, "0" * 32, 0)
    assert services.jobs.find(job.id) == before
    work(services, job.id, 1)
    work(services, job.id, 1)
    ended = services.jobs.find(job.id)
    assert ended is not None
    assert (ended.state, services.jobs.progress(ended).counts.misses) == ("done", CHUNK + 1)


def test_without_a_broker_there_is_nothing_to_work_for(tmp_path: Path) -> None:
    done = subprocess.run(CELERY, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "ABSTRACTS_JOBS_BROKER_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr
