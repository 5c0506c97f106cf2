"""Jobs: two Celery workers against one, processors used without a broker, workers that are killed, memory.

    python -m bench.jobs [--abstracts 2000] [--rounds 3] [--kills 20] [--large 10000]

Workers have one thread each and a real Redis between them (Debian's redis-server). In each round one job of so many
abstracts that nobody has seen is worked off by one worker, and one by two, both of which have their model loaded;
stated is the median of the ratios. Without a broker the server's own process works, with its usual settings. A worker
that is killed (SIGKILL) is replaced at once, so many times in one job, whose results must be complete, in order, once
each. The large job is of abstracts of 1,000 characters; the memory is the most that a worker's processes had.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Final

from bench.corpus import abstracts
from bench.load import free_port, variables
from config import load_settings
from service.bootstrap import Services
from storage.records.job import Job

CELERY: Final = [str(Path(sys.executable).parent / "celery"), "-A", "service.worker", "worker", "--concurrency=1"]
LOOK_EVERY: Final = 0.05
DEADLINE: Final = 3600.0
WARM: Final = 64
"""Abstracts of a job that only has the workers load their model."""


class Desk:
    """Where jobs are handed in, over one store."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._owner = services.keys.create("bench", ["predict"])[0].id
        self._numbers = count()

    def submit(self, texts: list[str]) -> Job:
        """A job of these abstracts, none of which has a stored prediction."""
        unseen = [f"Report {next(self._numbers)}. {text}" for text in texts]
        job = self._services.jobs.create(self._owner, self._services.models.get().name, unseen)
        self._services.attendant.wake()
        return job

    def done(self, job: Job) -> int:
        """How many of its abstracts have an outcome."""
        found = self._services.jobs.find(job.id)
        return 0 if found is None else self._services.jobs.progress(found).done

    def seconds(self, texts: list[str]) -> float:
        """How long a job of these abstracts takes."""
        started, job = time.perf_counter(), self.submit(texts)
        wait(lambda: self.done(job) == len(texts))
        return time.perf_counter() - started

    def lines(self, job: Job) -> list[dict[str, object]]:
        """What came of a job that is over."""
        found = self._services.jobs.find(job.id)
        assert found is not None
        return [json.loads(line) for line in b"".join(self._services.jobs.results(found)).splitlines()]


def main() -> None:
    """Print a line a measurement."""
    parser = argparse.ArgumentParser(description="Jobs over workers and a broker, and without.")
    parser.add_argument("--abstracts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--large", type=int, default=10_000)
    options = parser.parse_args()
    if min(vars(options).values()) < 1:
        parser.error("give 1 or more of each")
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is missing: apt-get install redis-server")
    texts = abstracts(options.abstracts)
    with tempfile.TemporaryDirectory() as folder:
        print(embedded(Path(folder), texts))
    with tempfile.TemporaryDirectory() as folder, redis(folder) as url:
        settings = {**variables(folder), "ABSTRACTS_JOBS_BROKER_URL": url, "ABSTRACTS_THREADS": "1"}
        with closing(Services(load_settings(settings))) as services:
            desk = Desk(services)
            print(spread(desk, settings, texts, options.rounds))
            print(killed(desk, settings, texts, options.kills))
            print(large(desk, settings, options.large))


def embedded(folder: Path, texts: list[str]) -> str:
    """A job in this process, with its usual settings."""
    with closing(Services(load_settings(variables(str(folder))))) as services:
        desk = Desk(services)
        desk.seconds(texts[:WARM])
        before = time.process_time()
        seconds = desk.seconds(texts)
        used = (time.process_time() - before) / seconds
    return (
        f"without a broker: {len(texts)} abstracts in {seconds:.1f} s, {used:.2f} of {os.cpu_count()} processors used"
    )


def spread(desk: Desk, settings: dict[str, str], texts: list[str], rounds: int) -> str:
    """Two workers against one."""
    ratios, shares = [], []
    for _ in range(rounds):
        took = {}
        for number in (1, 2):
            with ExitStack() as stack:
                workers = [stack.enter_context(worker(settings)) for _ in range(number)]
                for _ in workers:
                    desk.seconds(texts[:WARM])
                before = [each.chunks() for each in workers]
                took[number] = desk.seconds(texts)
                done = [each.chunks() - then for each, then in zip(workers, before, strict=True)]
        ratios.append(took[2] / took[1])
        shares.append("and".join(f" {chunks} " for chunks in done).strip())
    return (
        f"{len(texts)} abstracts by two Celery workers: {statistics.median(ratios):.2f} of the time of one "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}); chunks by each of the two: {', '.join(shares)}"
    )


def killed(desk: Desk, settings: dict[str, str], texts: list[str], kills: int) -> str:
    """A job whose worker is killed again and again."""
    job = desk.submit(texts)
    for goal in range(0, len(texts), -(-len(texts) // kills)):
        with worker(settings) as running:
            wait(partial(_has, desk, job, goal))
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
    with worker(settings):
        wait(lambda: desk.done(job) == len(texts))
    lines = desk.lines(job)
    ids = [line.get("id") for line in lines]
    problems = sum("problem" in line for line in lines)
    whole = f"{len(lines)} of {len(texts)} outcomes, {len(set(ids))} different ones, {problems} problems"
    return f"killed {kills} times: {whole}"


def _has(desk: Desk, job: Job, goal: int) -> bool:
    return desk.done(job) > goal


def large(desk: Desk, settings: dict[str, str], number: int) -> str:
    """The memory of a worker during a large job."""
    texts = [text[:1000] for text in islice(abstracts(number), number)]
    with worker(settings) as running:
        job, most = desk.submit(texts), 0
        while desk.done(job) < number:
            most = max(most, running.memory())
            time.sleep(LOOK_EVERY)
    return f"a job of {number}: the worker's processes have {most / 2**20:.0f} MB at most"


class Worker:
    """A Celery worker and its child."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def chunks(self) -> int:
        """How many tasks it has ended."""
        return self._log.read_text("utf-8", "replace").count(" succeeded in ")

    def memory(self) -> int:
        """Bytes of its processes, those that they share counted once (PSS)."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/smaps_rollup"):
            try:
                if os.getpgid(int(stat.parent.name)) == self.process.pid:
                    total += next(int(line.split()[1]) for line in stat.open() if line.startswith("Pss:")) << 10
            except (OSError, StopIteration):
                continue  # it has ended meanwhile
        return total


@contextmanager
def worker(settings: dict[str, str]) -> Iterator[Worker]:
    """A Celery worker, with its child in a group of processes of its own."""
    handle, name = tempfile.mkstemp(suffix=".log")
    with os.fdopen(handle, "wb") as log:
        command = [*CELERY, "--loglevel=INFO"]
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log, start_new_session=True)
    try:
        yield Worker(process, Path(name))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
        Path(name).unlink()


@contextmanager
def redis(folder: str) -> Iterator[str]:
    """The URL of a Redis of its own."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds; ends the program if it never does."""
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("a job does not come to its end")
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main()
