"""What is stored of a job itself: what was asked for, and how it ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from storage.errors import Corrupt
from storage.records.chunks import Span
from storage.records.documents import Document, to_moment, to_text
from storage.records.progress import Progress, read_progress, to_progress_document

State = Literal["open", "done", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job(Span):
    """A job: so many abstracts for one model.

    owner: id of the API key that it belongs to. threshold, top_k: how its scores become categories. request: id of the
    request that it came with. state: `open` until it has been ended. ended: of one that is over, what its chunks said
    then; it stays so. also: further models.
    """

    owner: str
    model: str
    created_at: datetime
    threshold: float | None = None
    top_k: int | None = None
    request: str = ""
    state: State = "open"
    ended: Progress | None = None
    also: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state != "open"


_PLAIN: Final = ("total", "chunk", "owner", "model", "threshold", "top_k", "request", "state", "also")


def to_document(job: Job) -> Document:
    """The job without its id, which is in its key."""
    moments = {name: to_text(getattr(job, name)) for name in ("created_at", "expires_at")}
    ended = None if job.ended is None else to_progress_document(job.ended)
    return {**{name: getattr(job, name) for name in _PLAIN}, **moments, "ended": ended}


def from_document(id: str, document: Document) -> Job:
    """The job that to_document wrote; Corrupt if it is none."""
    values: dict[str, Any] = dict(document)
    for name in ("created_at", "expires_at"):
        values[name] = to_moment(document.get(name))
    ended = document.get("ended")
    also = values.get("also", ())
    whole = all(type(values.get(name)) is int and values[name] > 0 for name in ("total", "chunk"))
    whole = whole and isinstance(also, list | tuple) and all(isinstance(name, str) for name in also)
    if not whole or values.get("state") not in get_args(State) or (values["state"] == "open") != (ended is None):
        raise Corrupt(f"the job {id} is damaged")
    values["also"] = tuple(also)
    values["ended"] = None if ended is None else read_progress(ended)
    try:
        return Job(id=id, **values)
    except TypeError as exc:
        raise Corrupt(f"the job {id} is damaged: {exc}") from exc
