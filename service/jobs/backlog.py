"""Tells the metrics how much of all jobs is left to do."""

import time
from collections.abc import Callable
from typing import Final

from service.jobs.attendants import Attendant
from storage.errors import StorageError
from storage.records.jobs import Jobs

LOOK_EVERY: Final = 15.0
"""Seconds between two looks: as often as Prometheus scrapes, or less."""
SHARE: Final = 100
"""A look that took long is followed by a pause so many times as long: thousands of open jobs are counted less often."""


class Backlog(Attendant):
    """A thread that counts now and then. What it tells is of the whole store, whoever works the jobs off."""

    def __init__(self, jobs: Jobs, tell: Callable[[int, int, int], None]) -> None:
        """`tell` is told the members of Left."""
        super().__init__()
        self._jobs = jobs
        self._tell = tell

    def attend(self) -> float:
        """Counts once. Of an outage others tell."""
        started = time.monotonic()
        try:
            self._tell(*self._jobs.left())
        except StorageError:
            return LOOK_EVERY
        return max(LOOK_EVERY, SHARE * (time.monotonic() - started))
