"""Which jobs there are: those with work left, those that must wait, and those of each owner.

Finding them must not need a scan, which not every backend has; so their ids are in documents of their own.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from storage.base import Backend
from storage.errors import Corrupt, Full, OwnerFull
from storage.records.chunks import NAMESPACE
from storage.records.documents import Document, decode, encode, to_moment, to_text, update

OPEN: Final = "open"
MOST_OPEN: Final = 1000
MOST_LISTED: Final = 1000
"""Jobs of one owner that are listed, the newest."""


class Waiting(NamedTuple):
    """A job with work left, and whose it is."""

    id: str
    owner: str


class Listings:
    """Lists of jobs, each a document that is changed by compare-and-swap."""

    def __init__(self, backend: Backend, *, ttl: timedelta, most_open: int, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._ttl = ttl
        self._most_open = most_open
        self._now = now

    def waiting(self) -> list[Waiting]:
        """The jobs with work left, in the order in which they came. Some may be over or gone."""
        entry = self._backend.get(NAMESPACE, OPEN)
        return [] if entry is None else _waiting_in(decode(entry))

    def check_room(self, owner: str, waiting: Collection[Waiting] | None = None) -> None:
        """Raises OwnerFull if the owner has too many open jobs, Full if all have."""
        waiting = self.waiting() if waiting is None else waiting
        if sum(other.owner == owner for other in waiting) >= self._most_open:
            raise OwnerFull(
                f"{self._most_open} jobs of this API key are not over yet. Wait until one is, cancel one, or put more "
                "abstracts into each."
            )
        if len(waiting) >= MOST_OPEN:
            raise Full(f"{MOST_OPEN} jobs wait already")

    def open(self, id: str, owner: str) -> None:
        """Note that there is work to do for a job. Raises as check_room does."""

        def added(document: Document | None) -> Document:
            waiting = [] if document is None else _waiting_in(document)
            if any(other.id == id for other in waiting):
                return {"jobs": waiting}
            self.check_room(owner, waiting)
            return {"jobs": [*waiting, (id, owner)]}

        update(self._backend, NAMESPACE, OPEN, added)

    def close(self, id: str) -> None:
        """Note that there is no more to do for a job."""
        if any(other.id == id for other in self.waiting()):
            update(
                self._backend,
                NAMESPACE,
                OPEN,
                lambda document: {"jobs": [other for other in _waiting_in(document or {}) if other.id != id]},
            )

    def delay(self, id: str, delay: timedelta) -> None:
        """Let a job wait for so long."""
        document = {"until": to_text(self._now() + delay), "seconds": delay.total_seconds()}
        self._backend.put(NAMESPACE, _delay(id), encode(document), max(delay, timedelta(seconds=1)))

    def delayed_until(self, id: str) -> datetime | None:
        """Until when it waits; None if it does not. A delay with longer to go than it lasts is of another clock."""
        entry = self._backend.get(NAMESPACE, _delay(id))
        if entry is None:
            return None
        document = decode(entry)
        until, now, seconds = to_moment(document.get("until")), self._now(), document.get("seconds")
        if not isinstance(seconds, int | float):
            raise Corrupt(f"the delay of the job {id} is damaged")
        return until if now < until <= now + timedelta(seconds=seconds) else None

    def of(self, owner: str) -> list[str]:
        """The ids of the owner's jobs, newest first; some may be gone."""
        entry = self._backend.get(NAMESPACE, _listed(owner))
        return [] if entry is None else [id for id, _ in reversed(_listed_in(decode(entry)))]

    def enlist(self, id: str, owner: str) -> None:
        """Put a new job on its owner's list, and take those off that have expired."""
        now = self._now()

        def added(document: Document | None) -> Document:
            kept = [] if document is None else _listed_in(document)
            kept = [(other, at) for other, at in kept if at > now - self._ttl]
            return {"jobs": [(other, to_text(at)) for other, at in [*kept, (id, now)][-MOST_LISTED:]]}

        update(self._backend, NAMESPACE, _listed(owner), added)


def _pairs(document: Document) -> list[tuple[str, str]]:
    """Without `jobs` it is the list of an earlier version, whose jobs are gone."""
    pairs = document.get("jobs", [])
    if not isinstance(pairs, list):
        raise Corrupt("a list of jobs is damaged")
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise Corrupt("a list of jobs is damaged")
    return [(first, second) for first, second in pairs]


def _waiting_in(document: Document) -> list[Waiting]:
    return [Waiting(*pair) for pair in _pairs(document)]


def _listed_in(document: Document) -> list[tuple[str, datetime]]:
    return [(id, to_moment(at)) for id, at in _pairs(document)]


def _listed(owner: str) -> str:
    return f"owner/{owner}"


def _delay(id: str) -> str:
    return f"delay/{id}"
