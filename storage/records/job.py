"""What is known of a job, and how it is stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from storage.errors import Corrupt
from storage.records.documents import Document, to_moment, to_moment_or_none, to_text

State = Literal["queued", "running", "done", "cancelled"]

OVER: Final[tuple[State, ...]] = ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Job:
    """A job: so many abstracts for one model.

    owner: id of the API key that it belongs to. threshold, top_k: how its scores become categories.
    total: items; the first `done` of them have an outcome: hits, misses (which the model ran for) or problems.
    holder: who works on it, until `held_until` unless renewed. not_before: no work until then.
    resumed_at, resumed_done: when the holder took it up, and how many were done then.
    """

    id: str
    owner: str
    model: str
    total: int
    created_at: datetime
    expires_at: datetime
    threshold: float | None = None
    top_k: int | None = None
    state: State = "queued"
    done: int = 0
    hits: int = 0
    misses: int = 0
    problems: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    holder: str | None = None
    held_until: datetime | None = None
    not_before: datetime | None = None
    resumed_at: datetime | None = None
    resumed_done: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in OVER

    def seconds_left(self, now: datetime) -> float | None:
        """How long the rest takes at the present pace; None while that is not known, 0 when over."""
        if self.over:
            return 0.0
        done = self.done - self.resumed_done
        if self.state != "running" or self.resumed_at is None or done < 1:
            return None
        return (now - self.resumed_at).total_seconds() / done * (self.total - self.done)


_MOMENTS: Final = ("started_at", "finished_at", "held_until", "not_before", "resumed_at")
_COUNTS: Final = ("total", "done", "hits", "misses", "problems", "resumed_done")


def to_document(job: Job) -> Document:
    """The job without its id, which is in its key."""
    document: dict[str, Any] = {name: getattr(job, name) for name in Job.__slots__ if name != "id"}
    moments = ("created_at", "expires_at", *_MOMENTS)
    return document | {name: to_text(document[name]) for name in moments}


def from_document(id: str, document: Document) -> Job:
    """The job that to_document wrote; Corrupt if it is none."""
    values = dict(document)
    for name in ("created_at", "expires_at"):
        values[name] = to_moment(document.get(name))
    for name in _MOMENTS:
        values[name] = to_moment_or_none(document.get(name))
    if values.get("state") not in get_args(State) or any(type(values.get(name)) is not int for name in _COUNTS):
        raise Corrupt(f"the job {id} is damaged")
    try:
        return Job(id=id, **values)
    except TypeError as exc:
        raise Corrupt(f"the job {id} is damaged: {exc}") from exc
