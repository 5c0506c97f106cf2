"""Processes that serve, and the one that looks after them: it replaces those that die, and starts them anew one by one.

All accept connections from the same socket, so none is lost while one process takes another's place.
"""

import itertools
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Final

from service.errors import NotServing

log = logging.getLogger("abstracts.server")

STOP_TIMEOUT: Final = 30.0
"""Seconds after which a process that was told to stop is killed."""
PAUSE: Final = 1.0
"""Seconds before a process is replaced that died before it could serve; doubled each time, up to PAUSE_MOST."""
PAUSE_MOST: Final = 30.0

Work = Callable[[int, Connection, int], None]
"""Serves in a process of its own: (descriptor that ends when the supervisor dies, where to send that it is ready, its
seat: a number that no other process has at the time)."""


@dataclass(slots=True, eq=False)
class Process:
    """One of them. `ready` is where it says that it serves."""

    inner: ForkProcess
    ready: Connection
    seat: int
    serves: bool = False
    kill_at: float | None = None

    def stop(self) -> None:
        """Tells it to stop, and remembers to make it."""
        if self.kill_at is None:
            self.kill_at = time.monotonic() + STOP_TIMEOUT
            self.inner.terminate()


@dataclass(slots=True)
class Place:
    """One of the processes that there should be: the one that serves, and the next while it starts."""

    now: Process | None = None
    following: Process | None = None
    failures: int = 0
    start_at: float | None = None


@dataclass(slots=True)
class Asked:
    """What signals ask for."""

    stop: bool = False
    reload: bool = False
    wake: socket.socket = field(default_factory=socket.socket)


class Supervisor:
    """Keeps `number` processes at `work`.

    `announce` is called once, when all of them serve; `left` with the seat of each that has ended.
    """

    def __init__(self, work: Work, number: int, announce: Callable[[], None], left: Callable[[int], None]) -> None:
        self._work, self._announce, self._left = work, announce, left
        self._places = [Place() for _ in range(number)]
        self._leaving: list[Process] = []
        self._renewing: list[Place] = []
        self._announced = False
        self._alive, self._life = os.pipe()  # nobody writes to it; reading ends when the last writer is gone

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises NotServing if at the first start a process dies before it serves."""
        with _signals() as asked:
            try:
                for place in self._places:
                    place.following = self._start()
                while not asked.stop:
                    self._wait(asked.wake)
                    self._look(asked)
            finally:
                self._stop(asked.wake)

    def _start(self) -> Process:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("fork")
        taken = {each.seat for each in self._all()}
        seat = next(number for number in itertools.count() if number not in taken)
        inner = context.Process(target=self._enter, args=(sender, seat), name="abstracts-worker")
        inner.start()
        sender.close()
        return Process(inner, receiver, seat)

    def _enter(self, sender: Connection, seat: int) -> None:
        """In the new process."""
        os.close(self._life)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is for the supervisor
        self._work(self._alive, sender, seat)

    def _all(self) -> Iterator[Process]:
        for place in self._places:
            yield from (each for each in (place.now, place.following) if each is not None)
        yield from self._leaving

    def _wait(self, wake: socket.socket) -> None:
        """Until something happens or is due."""
        now = time.monotonic()
        due = [each.kill_at for each in self._all() if each.kill_at is not None]
        due += [place.start_at for place in self._places if place.start_at is not None]
        everything = list(self._all())
        sources: list[int | Connection | socket.socket] = [wake, *(each.inner.sentinel for each in everything)]
        sources += [each.ready for each in everything if not each.serves and not each.ready.closed]
        timeout = max(0.0, min(due) - now) if due else None
        if wake in multiprocessing.connection.wait(sources, timeout):
            wake.recv(4096)

    def _look(self, asked: Asked) -> None:
        for place in self._places:
            self._look_at(place)
        self._bury()
        if not self._announced and all(place.now for place in self._places):
            self._announced = True
            self._announce()
        if asked.reload:
            asked.reload = False
            log.info("starting the processes anew, one by one")
            self._renewing = list(self._places)
        if self._renewing and not any(place.following for place in self._places):
            self._renewing.pop(0).following = self._start()

    def _look_at(self, place: Place) -> None:
        if place.now is not None and not place.now.inner.is_alive():
            pid = place.now.inner.pid
            log.error("process %s ended with status %s and is replaced", pid, self._forget(place.now))
            place.now = None
            if place.following is None:
                place.following = self._start()
        if place.following is not None:
            self._look_at_following(place, place.following)
        if place.start_at is not None and time.monotonic() >= place.start_at:
            place.start_at, place.following = None, self._start()

    def _look_at_following(self, place: Place, following: Process) -> None:
        if _has_said_so(following):
            place.following, place.failures = None, 0
            if place.now is not None:
                place.now.stop()
                self._leaving.append(place.now)
            place.now = following
        elif not following.inner.is_alive():
            place.following = None
            self._not_served(place, self._forget(following))

    def _not_served(self, place: Place, status: int | None) -> None:
        if not self._announced and status is not None and status > 0:
            raise NotServing(f"a server process ended with status {status} before it could serve; see above")
        place.failures += 1
        log.error("a new process ended with status %s before it could serve", status)
        if place.now is None:
            place.start_at = time.monotonic() + min(PAUSE * 2 ** (place.failures - 1), PAUSE_MOST)
        else:
            log.error("those that serve go on as they are")
            self._renewing.clear()

    def _bury(self) -> None:
        """Of those that were told to stop, forgets the dead, and kills those that take too long."""
        for process in tuple(self._leaving):
            if not process.inner.is_alive():
                self._leaving.remove(process)
                self._forget(process)
            elif process.kill_at is not None and time.monotonic() >= process.kill_at:
                log.warning("process %s did not stop within %g s and is killed", process.inner.pid, STOP_TIMEOUT)
                process.kill_at = None
                process.inner.kill()

    def _forget(self, process: Process) -> int | None:
        """Its exit status."""
        process.ready.close()
        process.inner.join()
        status = process.inner.exitcode
        process.inner.close()
        self._left(process.seat)
        return status

    def _stop(self, wake: socket.socket) -> None:
        self._leaving = list(self._all())
        self._places.clear()
        for process in self._leaving:
            process.stop()
        while self._leaving:
            self._wait(wake)
            self._bury()
        os.close(self._life)
        os.close(self._alive)


def _has_said_so(process: Process) -> bool:
    if not process.serves and not process.ready.closed and process.ready.poll():
        try:
            process.serves = bool(process.ready.recv())
        except EOFError:
            process.ready.close()
    return process.serves


@contextmanager
def _signals() -> Iterator[Asked]:
    """Handlers that note what is asked, and wake whoever waits."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    asked = Asked(wake=ours)

    def stop(*_: object) -> None:
        asked.stop = True

    def reload(*_: object) -> None:
        asked.reload = True

    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield asked
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        ours.close()
        theirs.close()
