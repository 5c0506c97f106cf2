"""Two workers on one job in a real SQLite file, interleaved call by call, stopped, killed, late: no result is wrong.

Each worker runs in a thread that asks before every call to its store; the machine lets one of them make one call at a
time, so that every pause between two calls is tried, however long.
"""

import itertools
import json
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage.base import Backend
from storage.connect import open_backend
from storage.errors import Conflict
from storage.records import jobs as records
from storage.records.chunks import Counts
from storage.records.job import Job
from storage.records.jobs import Claim, Jobs
from tests.contracts.jobs import DAY, Clock, texts

CHUNK = 3
WORKERS = st.integers(0, 1)
NUMBERS = itertools.count()


def work_off(jobs: Jobs, claim: Claim) -> None:
    """The outcomes say who wrote them, so that none that is read may be replaced by another's."""
    items = jobs.input(claim)
    if items is not None:
        lines = [json.dumps({"n": item, "by": claim.held.holder}) for item in items]
        jobs.finish(claim, lines, Counts(misses=len(items)))


class Killed(BaseException):
    """Ends a worker as kill -9 does: nothing it would do on its way out takes effect."""


class Worker:
    """A thread that works on a job, a call to the store at a time. `killed` leaves everything where it is."""

    def __init__(self, backend: Backend, clock: Clock, job: Job, name: str) -> None:
        self._backend, self._name, self._job = backend, name, job
        self._turn, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._killed = False
        self.ended = False
        self._jobs = Jobs(self, ttl=DAY, now=clock)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._paused.acquire()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._backend, name)

        def wait_and_call(*args: Any) -> Any:
            self._wait()
            return call(*args)

        return wait_and_call

    def step(self) -> None:
        """Lets it go on up to its next call."""
        if not self.ended:
            self._turn.release()
            self._paused.acquire()

    def kill(self) -> None:
        self._killed = True
        self.step()
        self._thread.join()

    def _wait(self) -> None:
        self._paused.release()
        self._turn.acquire()
        if self._killed:
            raise Killed

    def _work(self) -> None:
        try:
            self._wait()
            while not self._jobs.find(self._job.id).over:  # type: ignore[union-attr]
                self._turn_on_a_chunk()
        except Killed:
            pass
        finally:
            self.ended = True
            self._paused.release()

    def _turn_on_a_chunk(self) -> None:
        try:
            claim = self._jobs.claim(self._job.id, f"{self._name}/{next(NUMBERS)}")
            if claim is not None:
                work_off(self._jobs, claim)
        except Conflict:
            pass


class Interleavings(RuleBasedStateMachine):
    """Whatever happens, what can be read is right, only grows, and ends complete."""

    @initialize(total=st.integers(1, 4 * CHUNK), may_be_cancelled=st.booleans())
    def begin(self, total: int, *, may_be_cancelled: bool) -> None:
        self.may_be_cancelled = may_be_cancelled
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name) / 'store.db'}"
        self.backend = open_backend(url, timeout=timedelta(seconds=5))
        self.clock = Clock()
        self.jobs = Jobs(self.backend, ttl=DAY, now=self.clock)
        before, records.CHUNK = records.CHUNK, CHUNK  # type: ignore[misc]
        self.job = self.jobs.create("alice", "m", texts(total))
        records.CHUNK = before  # type: ignore[misc]
        self.expected = texts(total)
        self.cancelled = False
        self.seen = b""
        self.workers = [self.worker(number) for number in range(2)]

    def worker(self, number: int) -> Worker:
        return Worker(self.backend, self.clock, self.job, f"w{number}")

    @rule(number=WORKERS, steps=st.integers(1, 12))
    def go_on(self, number: int, steps: int) -> None:
        for _ in range(steps):
            self.workers[number].step()

    @rule(number=WORKERS, steps=st.integers(1, 26), others=st.integers(10, 60))
    def sleep_past_the_lease(self, number: int, steps: int, others: int) -> None:
        self.go_on(number, steps)
        self.clock.advance(16)
        self.go_on(1 - number, others)
        self.what_can_be_read_is_right()
        self.go_on(number, 5)

    @rule(number=WORKERS)
    def die(self, number: int) -> None:
        self.workers[number].kill()
        self.workers[number] = self.worker(number)

    @rule(seconds=st.sampled_from([1, 16, 3600, -3600]))
    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.may_be_cancelled)
    @rule()
    def cancel(self) -> None:
        self.jobs.cancel(self.job.id, "alice")
        self.cancelled = True

    @invariant()
    def what_can_be_read_is_right(self) -> None:
        if not hasattr(self, "jobs"):
            return
        fresh = Jobs(self.backend, ttl=DAY, now=self.clock)
        job = fresh.find(self.job.id)
        assert job is not None
        read = b"".join(fresh.results(job))
        lines = read.decode().splitlines()
        said = fresh.progress(job)
        assert [json.loads(line)["n"] for line in lines] == self.expected[: len(lines)]
        assert read.startswith(self.seen)
        assert (len(lines), said.counts.misses) == (said.ready, said.done)
        assert not job.over or self.cancelled or len(lines) == job.total
        self.seen = read

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        for worker in self.workers:
            worker.kill()
        self.clock.advance(16)
        while claim := self.jobs.claim(self.job.id, "the last"):
            work_off(self.jobs, claim)
        self.what_can_be_read_is_right()
        ended = self.jobs.find(self.job.id)
        assert ended is not None
        assert ended.over
        assert (ended.state == "done") == (self.seen.count(b"\n") == len(self.expected))
        self.backend.close()
        self.folder.cleanup()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("calls", range(1, 40))
def test_a_worker_may_sleep_past_its_lease_before_any_call(calls: int) -> None:
    machine = Interleavings()
    machine.begin(total=2 * CHUNK + 1, may_be_cancelled=False)
    machine.sleep_past_the_lease(0, calls, 60)
    machine.what_can_be_read_is_right()
    machine.teardown()
