"""The worker in the server's own process, and the thread that hands jobs to a broker instead."""

import logging
import os
import socket
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from service.errors import BrokerUnavailable
from service.jobs.runner import Runner, Stopping
from storage.errors import Conflict, StorageError
from storage.records.jobs import Job, Jobs

log = logging.getLogger("abstracts.jobs")

LOOK_EVERY: Final = 2.0
"""Seconds between two looks for jobs that another process took in or left behind."""
PAUSE_AFTER_ERROR: Final = timedelta(seconds=5)
STOP_TIMEOUT: Final = 10.0
RESEND_AFTER: Final = 300.0
"""Seconds after which a job that nobody has taken up is sent to the broker again: it may have lost the message."""


class Attendant(ABC):
    """A thread of this process that looks after open jobs. It starts when it is first woken, in the process that wakes.

    One failure does not end it: it is logged, and the thread goes on after a pause.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._stop = threading.Event()

    def wake(self) -> None:
        """There may be something to do. Returns at once."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)
                self._thread.start()
        self._woken.set()

    def close(self) -> None:
        """Ends the thread after what it does at the moment, which takes as long as a few abstracts."""
        self._stop.set()
        self._woken.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(STOP_TIMEOUT)

    @abstractmethod
    def attend(self) -> bool:
        """Does what there is to do; whether to look again at once. May raise."""

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            try:
                again = self.attend()
            except Conflict as error:
                log.info("a job is no longer ours: %s", error)
                again = True
            except Exception as error:  # noqa: BLE001  (a thread that died would leave every later job undone)
                self._report(error)
                self._stop.wait(PAUSE_AFTER_ERROR.total_seconds())
                continue
            if not again:
                self._woken.wait(LOOK_EVERY)

    def _report(self, error: Exception) -> None:
        if isinstance(error, StorageError | BrokerUnavailable):
            log.warning("jobs wait: %s", error)
        else:
            log.exception("a job failed and will be tried again", exc_info=error)


class LocalWorker(Attendant):
    """Runs jobs in this process, one at a time, in the order in which they came."""

    def __init__(self, jobs: Jobs, make_runner: Callable[[], Runner]) -> None:
        super().__init__()
        self._jobs = jobs
        self._make_runner = make_runner
        self._holder = new_holder()

    def attend(self) -> bool:
        """Runs the first free job, if there is one."""
        job = self._jobs.claim(self._holder)
        if job is None:
            return False
        run_held(self._jobs, self._make_runner(), job, self._holder, self._stop.is_set)
        return True


class Dispatcher(Attendant):
    """Sends each free job to the broker: at once, and again when its worker has died or the message seems lost.

    Workers take leases, so a message too many does no harm; and a broker that is out only delays.
    """

    def __init__(self, jobs: Jobs, send: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._jobs = jobs
        self._send = send
        self._clock = clock
        self._sent: dict[str, tuple[float, str | None]] = {}

    def attend(self) -> bool:
        """Sends what is due."""
        waiting = [job for job in self._jobs.open_jobs() if self._jobs.is_free(job)]
        self._sent = {job.id: self._sent[job.id] for job in waiting if job.id in self._sent}
        for job in waiting:
            if self._is_due(job):
                self._send(job.id)
                self._sent[job.id] = (self._clock(), job.holder)
        return False

    def _is_due(self, job: Job) -> bool:
        sent = self._sent.get(job.id)
        return sent is None or sent[1] != job.holder or self._clock() - sent[0] >= RESEND_AFTER


def run_held(jobs: Jobs, runner: Runner, job: Job, holder: str, stopping: Stopping) -> None:
    """Runs a claimed job. If it fails, it is given back, to be taken up after a pause; the error is raised."""
    try:
        runner.run(job, holder, stopping)
    except StorageError:
        raise  # cancelled, taken over, or the store is out: then the lease lapses by itself
    except Exception:
        jobs.release(job, holder, PAUSE_AFTER_ERROR)
        raise


def new_holder() -> str:
    """A name that no other worker has."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
