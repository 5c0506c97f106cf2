"""How far a job is: what its chunks say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from storage.errors import Corrupt
from storage.records.chunks import Counts, Mark, Span
from storage.records.documents import Document, to_moment_or_none, to_text

RECENT: Final = 20
"""Chunks by which the pace is told, those that were completed last."""


class Progress(NamedTuple):
    """How far a job is.

    done: items that have an outcome: hits, misses (which the model ran for) and problems. ready: outcomes that can be
    read, in `size` bytes: those before the first chunk that is not complete. delayed_until: no work until then.
    seconds_left: how long the rest takes at the present pace; None while that is not known, 0 when over.
    """

    done: int
    counts: Counts
    ready: int
    size: int
    started_at: datetime | None
    finished_at: datetime | None
    delayed_until: datetime | None = None
    seconds_left: float | None = None


def progress_of(
    span: Span, marks: Mapping[int, Mark], started_at: datetime | None, delayed: datetime | None
) -> Progress:
    """What complete chunks, by number, say of their job. started_at: of the first that is claimed and not complete."""
    counts = Counts()
    for mark in marks.values():
        counts = counts.plus(mark.counts)
    done = sum(span.items_in(number) for number in marks)
    prefix = next((number for number in span.numbers if number not in marks), len(span.numbers))
    starts = [mark.since for mark in marks.values()] + ([] if started_at is None else [started_at])
    return Progress(
        done=done,
        counts=counts,
        ready=min(prefix * span.chunk, span.total),
        size=sum(marks[number].size for number in range(prefix)),
        started_at=min(starts, default=None),
        finished_at=max(mark.at for mark in marks.values()) if done == span.total else None,
        delayed_until=delayed,
        seconds_left=None if delayed else _seconds_left(span, marks, span.total - done),
    )


def _seconds_left(span: Span, marks: Mapping[int, Mark], left: int) -> float | None:
    latest = sorted(marks.items(), key=lambda item: item[1].at)[-RECENT:]
    if not left or not latest:
        return None if left else 0.0
    items = sum(span.items_in(number) for number, _ in latest)
    took = latest[-1][1].at - min(mark.since for _, mark in latest)
    return max(0.0, took.total_seconds()) / items * left


def to_progress_document(progress: Progress) -> Document:
    """A JSON object of it."""
    document = progress._asdict()
    return document | {name: to_text(document[name]) for name in ("started_at", "finished_at", "delayed_until")}


def read_progress(document: Any) -> Progress:
    """What to_progress_document made; Corrupt if it is none."""
    try:
        moments = {name: to_moment_or_none(document[name]) for name in ("started_at", "finished_at", "delayed_until")}
        read = Progress(**{**document, **moments, "counts": Counts(*document["counts"])})
    except (TypeError, KeyError) as exc:
        raise Corrupt(f"the end of a job is damaged: {exc}") from exc
    if any(type(number) is not int for number in (read.done, read.ready, read.size, *read.counts)):
        raise Corrupt("the end of a job is damaged")
    return read
