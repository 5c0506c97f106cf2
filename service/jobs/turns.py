"""Whose chunk is next: keys take turns, and the jobs of one key come in their order."""

import os
import socket
import threading
import uuid
from collections.abc import Iterable

from storage.records.jobs import Claim, Jobs
from storage.records.listings import Waiting


class Turns:
    """Remembers in which order keys had their turns. Thread safe."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0
        self._lock = threading.Lock()

    def order(self, waiting: Iterable[Waiting]) -> list[Waiting]:
        """The jobs, those of the key whose turn was longest ago first."""
        jobs = list(waiting)
        owners = {job.owner for job in jobs}
        with self._lock:
            self._served = {owner: turn for owner, turn in self._served.items() if owner in owners}
            return sorted(jobs, key=lambda job: self._served.get(job.owner, 0))

    def had(self, owner: str) -> None:
        """This key has had its turn."""
        with self._lock:
            self._count += 1
            self._served[owner] = self._count


def next_claim(jobs: Jobs, turns: Turns, holder: str) -> Claim | None:
    """A chunk of the job whose turn it is, now the holder's; None if there is none to work on. Raises as Jobs does."""
    for job in turns.order(jobs.waiting()):
        claim = jobs.claim(job.id, holder)
        if claim is not None:
            turns.had(job.owner)
            return claim
    return None


def new_holder() -> str:
    """A name that no other claim has: what is held under it is told from all that was held before."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:12]}"
