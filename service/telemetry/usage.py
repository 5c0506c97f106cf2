"""Usage of API keys: counted in memory, and written to the store each minute by a thread of its own."""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final

from storage import forks
from storage.errors import StorageError
from storage.records.apikeys import Keys
from storage.records.usage import Usage, Usages, new_process

WRITE_EVERY: Final = 60.0
"""Seconds between two writes: what a process loses at most that is killed."""
CLOSE_SECONDS: Final = 5.0
"""How long the last write may take."""
MOST_COUNTED: Final = 100_000
"""Days and keys that are counted at a time; only an outage of many days brings so many together."""
DAY: Final = 86400
EPOCH: Final = date(1970, 1, 1).toordinal()

log = logging.getLogger("abstracts.usage")

Place = tuple[int, str]
"""A day, counted from 1970 (UTC), and the id of a key."""


class UsageMeter:
    """Counts for each key and day what Usage has, and notes each key's last use. Thread safe; nothing waits for it.

    What the store does not take is kept and written when it takes it; `lost` counts what found no room meanwhile. The
    thread starts in the process that first counts.
    """

    def __init__(self, usages: Usages, keys: Keys, now: Callable[[], float] = time.time) -> None:
        """`now` gives unix seconds."""
        self._usages = usages
        self._keys = keys
        self._now = now
        self.lost = 0
        self._begin()
        forks.begin_anew_in_child(self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._process = new_process()
        self._counted: dict[Place, Usage] = {}
        self._unwritten: set[Place] = set()
        self._used: dict[str, float] = {}
        self._failing = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def request(self, key: str, *, pdf: bool = False) -> None:
        """Counts a request that has been answered; `pdf`: it was a paper that was read."""
        with self._lock:
            usage = self._usage(key)
            usage.requests += 1
            usage.pdfs += pdf
            self._used[key] = self._now()

    def paper(self, key: str) -> None:
        """Counts a paper of a job that was read."""
        with self._lock:
            self._usage(key).pdfs += 1

    def answer(self, key: str, *, hit: bool, model_seconds: float) -> None:
        """Counts the answer to an abstract: a hit, unless this call ran the model, for so long."""
        with self._lock:
            usage = self._usage(key)
            if hit:
                usage.hits += 1
            else:
                usage.misses += 1
                usage.model_seconds += model_seconds

    def _usage(self, key: str) -> Usage:
        """Where to count, under the lock."""
        place = int(self._now() // DAY), key
        usage = self._counted.get(place)
        if usage is None:
            if len(self._counted) >= MOST_COUNTED:
                self.lost += 1
                return Usage()
            usage = self._counted[place] = Usage()
            if self._thread is None:
                self._start()
        self._unwritten.add(place)
        return usage

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, args=(self._stop,), name="usage", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # of servers that do not say when they end

    def _work(self, stop: threading.Event) -> None:
        while not stop.wait(WRITE_EVERY):
            self.write()

    def write(self) -> None:
        """Writes what is new since the last time. What the store does not take waits for the next."""
        with self._lock:
            due, self._unwritten = self._unwritten, set()
        kept = self._write(due, self._stop.is_set)
        today = int(self._now() // DAY)
        with self._lock:
            self._unwritten |= kept
            # Yesterday's stay for another day: the clock may be set back, and a total must not begin again at 0.
            over = [place for place in self._counted if place[0] + 1 < today and place not in self._unwritten]
            for place in over:
                del self._counted[place]

    def _write(self, places: Iterable[Place], enough: Callable[[], bool], *, ended: bool = False) -> set[Place]:
        """Those of the places that the store has not taken, or that there was no time for."""
        kept: set[Place] = set()
        error: StorageError | None = None
        for place in places:
            if enough():
                kept.add(place)
                continue
            try:
                self._write_one(*place, ended=ended)
            except StorageError as exc:
                kept.add(place)
                error = exc
        self._tell(error)
        return kept

    def _write_one(self, day: int, key: str, *, ended: bool) -> None:
        with self._lock:
            usage, used = self._counted[day, key] + Usage(), self._used.pop(key, None)
        self._usages.write(date.fromordinal(EPOCH + day), key, self._process, usage, ended=ended)
        if used is not None:
            with suppress(StorageError):  # counted and logged by the breaker; the next use will be noted
                self._keys.touch_used(key, datetime.fromtimestamp(used, UTC))

    def _tell(self, error: StorageError | None) -> None:
        if error is not None and not self._failing:
            log.warning("usage of API keys cannot be written, and is kept in memory until it can: %s", error)
        elif error is None and self._failing:
            log.info("usage of API keys is written again")
        self._failing = error is not None

    def close(self) -> None:
        """Ends the thread and writes what there is. May be repeated; what is counted later begins anew."""
        thread = self._thread
        if thread is None:
            return
        atexit.unregister(self.close)
        self._stop.set()
        until = time.monotonic() + CLOSE_SECONDS
        thread.join(CLOSE_SECONDS)
        with self._lock:
            unwritten, counted = self._unwritten, list(self._counted)
        places = sorted(counted, key=lambda place: place not in unwritten)
        # A thread that still writes would write totals that have been added to those of the ended.
        kept = self._write(places, lambda: time.monotonic() > until, ended=not thread.is_alive())
        lost = kept & unwritten
        if lost:
            log.warning("usage of %s API keys since the last write is lost: the store did not take it", len(lost))
        self._begin()
