"""The workers in the server's own process, and the thread that hands chunks to a broker instead."""

import itertools
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Final

from service.errors import BrokerUnavailable
from service.jobs.runner import Runner
from service.jobs.turns import Turns, new_holder, next_claim
from service.telemetry.request_ids import note
from storage.errors import Conflict, StorageError
from storage.records.jobs import Jobs

log = logging.getLogger("abstracts.jobs")

LOOK_EVERY: Final = 2.0
"""Seconds between two looks for jobs that another process took in or left behind."""
REFILL_EVERY: Final = 0.2
"""Seconds between two looks while messages are out."""
PAUSE_AFTER_ERROR: Final = 5.0
STOP_TIMEOUT: Final = 10.0
RESEND_AFTER: Final = 300.0
"""Seconds after which a chunk that nobody has taken up is sent to the broker again: it may have lost the message."""
ASK_AFTER: Final = 5.0
"""Seconds after which it is sent again if no message is waiting: a worker took it and died before it had the chunk."""
MESSAGES: Final = 16
"""Chunks that are sent ahead of the workers: one of another key that comes now stands behind so many."""


class Attendant(ABC):
    """Threads of this process that look after open jobs. They start when first woken, in the process that wakes.

    One failure does not end them: it is logged, and the thread goes on after a pause.
    """

    def __init__(self, threads: int = 1) -> None:
        self._lock = threading.Lock()
        self._count = threads
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._woken = threading.Condition(self._lock)
        self._wakes = 0

    def wake(self) -> None:
        """There may be something to do. Returns at once."""
        with self._lock:
            if not self._threads and not self._stop.is_set():
                names = [f"jobs-{number}" for number in range(self._count)]
                self._threads = [threading.Thread(target=self._loop, name=name, daemon=True) for name in names]
                for thread in self._threads:
                    thread.start()
            self._wakes += 1
            self._woken.notify_all()

    def close(self) -> None:
        """Ends the threads after what they do at the moment, which takes as long as a few abstracts."""
        self._stop.set()
        with self._lock:
            self._woken.notify_all()
        until = time.monotonic() + STOP_TIMEOUT
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @abstractmethod
    def attend(self) -> float:
        """Does what there is to do; in how many seconds to look again, if nobody wakes it before. May raise."""

    def _loop(self) -> None:
        while not self._stop.is_set():
            seen = self._wakes
            try:
                pause = self.attend()
            except Conflict as error:
                log.info("a chunk is no longer ours: %s", error)
                pause = REFILL_EVERY
            except Exception as error:  # noqa: BLE001  (a thread that died would leave every later job undone)
                self._report(error)
                self._stop.wait(PAUSE_AFTER_ERROR)
                continue
            self._rest(seen, pause)

    def _rest(self, seen: int, pause: float) -> None:
        with self._lock:
            if pause and self._wakes == seen and not self._stop.is_set():
                self._woken.wait(pause)

    def _report(self, error: Exception) -> None:
        if isinstance(error, StorageError | BrokerUnavailable):
            log.warning("jobs wait: %s", error)
        else:
            log.exception("a chunk failed and will be tried again", exc_info=error)


class LocalWorkers(Attendant):
    """Works off chunks in this process, one a thread."""

    def __init__(self, jobs: Jobs, make_runner: Callable[[], Runner], threads: int) -> None:
        super().__init__(threads)
        self._jobs = jobs
        self._make_runner = make_runner
        self._turns = Turns()

    def attend(self) -> float:
        """Works off one chunk, if there is one."""
        note("")
        claim = next_claim(self._jobs, self._turns, new_holder())
        if claim is None:
            return LOOK_EVERY
        note(claim.job.request)
        self._make_runner().run(claim, self._stop.is_set)
        return 0.0


class Dispatcher(Attendant):
    """Sends chunks to the broker, a few ahead of the workers: at once, and again when one seems to be lost.

    Workers take leases, so a message too many does no harm; and a broker that is out only delays.
    """

    def __init__(
        self,
        jobs: Jobs,
        send: Callable[[str, int], None],
        queued: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`send` sends a chunk of a job; `queued` tells how many messages no worker has taken yet."""
        super().__init__()
        self._jobs = jobs
        self._send = send
        self._queued = queued
        self._clock = clock
        self._turns = Turns()
        self._sent: dict[tuple[str, int], tuple[float, str | None]] = {}

    def attend(self) -> float:
        """Sends what is due."""
        todo: dict[str, list[tuple[tuple[str, int], str | None]]] = {}
        for job in self._turns.order(self._jobs.waiting()):
            chunks = [((job.id, number), holder) for number, holder in self._jobs.todo(job.id, MESSAGES)]
            todo.setdefault(job.owner, []).extend(chunks)
        free = dict(itertools.chain.from_iterable(todo.values()))
        # What is no longer free is being worked on, complete, or to wait. What has a new holder was begun and left.
        known = {chunk: sent for chunk, sent in self._sent.items() if chunk in free and free[chunk] == sent[1]}
        patience = self._patience(known)
        self._sent = {chunk: sent for chunk, sent in known.items() if self._clock() - sent[0] < patience}
        for owner, chunk, holder in _in_turn(todo):
            if len(self._sent) >= MESSAGES:
                break
            if chunk not in self._sent:
                self._send(*chunk)
                self._sent[chunk] = (self._clock(), holder)
                self._turns.had(owner)
        return REFILL_EVERY if free else LOOK_EVERY

    def _patience(self, sent: dict[tuple[str, int], tuple[float, str | None]]) -> float:
        """Seconds after which a message counts as lost."""
        old = any(self._clock() - at >= ASK_AFTER for at, _ in sent.values())
        return ASK_AFTER if old and not self._queued() else RESEND_AFTER


def _in_turn(
    todo: dict[str, list[tuple[tuple[str, int], str | None]]],
) -> Iterator[tuple[str, tuple[str, int], str | None]]:
    """One chunk of each key, then the second of each, and so on."""
    for row in itertools.zip_longest(*todo.values()):
        for owner, chunk in zip(todo, row, strict=True):
            if chunk is not None:
                yield (owner, *chunk)
