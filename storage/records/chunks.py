"""Chunks: the parts of a job, each claimed, worked off and written once by whoever has it.

A chunk has up to three documents: its input, its output, and its state, which is absent, a claim or a mark. An output
is added, never put: one that is there never changes. A mark says that the output is there, and what is in it.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from storage.base import Backend, Entry
from storage.errors import Conflict, Corrupt
from storage.records.documents import Document, decode, encode, to_moment, to_text

logger = logging.getLogger(__name__)

NAMESPACE: Final = "jobs"
LOOK_AT: Final = 64
"""States of chunks that are read at once while one to claim is looked for."""
REMEMBERED: Final = 64
"""Jobs whose marks a process keeps: they never change, so they need not be read again."""

Item = str | Document
"""An abstract, alone or with what came with it; or, of one that was refused, the outcome that stands in its place."""


class Counts(NamedTuple):
    """Outcomes by kind: found stored, worked out by the model, refused or failed."""

    hits: int = 0
    misses: int = 0
    problems: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """The sum."""
        return Counts(self.hits + other.hits, self.misses + other.misses, self.problems + other.problems)


class Mark(NamedTuple):
    """A chunk that is complete: its output has so many outcomes in `size` bytes. since, at: when it was worked on."""

    counts: Counts
    size: int
    since: datetime
    at: datetime


class Held(NamedTuple):
    """A chunk that was claimed: by `holder`, until then. lines, counts: what an earlier holder had when it gave up."""

    holder: str
    until: datetime
    since: datetime
    lines: tuple[str, ...]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Span:
    """A job as its chunks see it: `total` items, `chunk` in each but the last; all expires at `expires_at`."""

    id: str
    total: int
    chunk: int
    expires_at: datetime

    @property
    def numbers(self) -> range:
        """The chunks, from 0."""
        return range(-(-self.total // self.chunk))

    def items_in(self, number: int) -> int:
        """How many items a chunk has."""
        return min(self.chunk, self.total - number * self.chunk)


class Chunks:
    """The chunks of all jobs. Anything may raise Unavailable; Corrupt if a document is damaged."""

    def __init__(self, backend: Backend, *, lease: timedelta, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._lease = lease
        self._now = now
        self._marks: OrderedDict[str, dict[int, Mark]] = OrderedDict()
        self._lock = threading.Lock()

    def add_input(self, id: str, number: int, items: Sequence[Item], ttl: timedelta) -> None:
        """Store the items of a chunk of a job that is being made."""
        self._backend.put(NAMESPACE, _input(id, number), encode({"items": list(items)}), ttl)

    def input(self, span: Span, number: int) -> list[Item] | None:
        """The items of a chunk; None when they are gone or damaged."""
        entry = self._backend.get(NAMESPACE, _input(span.id, number))
        try:
            items = None if entry is None else decode(entry).get("items")
        except Corrupt:
            return None
        return items if isinstance(items, list) and len(items) == span.items_in(number) else None

    def forget_input(self, id: str, number: int) -> bool:
        """Remove the items of a chunk; False if there are none. Abstracts are not kept longer than they are needed."""
        return self._backend.remove(NAMESPACE, _input(id, number))

    def output(self, span: Span, number: int, mark: Mark) -> bytes:
        """The outcomes of a complete chunk, one a line. Corrupt if they are not what the mark says."""
        entry = self._backend.get(NAMESPACE, _output(span.id, number))
        lines, _ = _read_output(span, number, {} if entry is None else decode(entry))
        blob = "".join(f"{line}\n" for line in lines).encode()
        if len(blob) != mark.size:
            raise Corrupt(f"the output {number} of the job {span.id} is not what was written")
        return blob

    def marks(self, span: Span) -> dict[int, Mark]:
        """The chunks that are complete."""
        for _ in self.unfinished(span, len(span.numbers)):
            pass
        with self._lock:
            return dict(sorted(self._known(span.id).items()))

    def unfinished(self, span: Span, look_at: int = LOOK_AT) -> Iterator[tuple[int, Held | None, int]]:
        """Each chunk that is not complete, in order: its number, its claim if it has one, the version of its state.

        A state that is damaged is as good as none: what is complete is found by its output.
        """
        with self._lock:
            known = self._known(span.id)
            rest = iter([number for number in span.numbers if number not in known])
        while numbers := list(islice(rest, look_at)):
            found = self._backend.get_many(NAMESPACE, [_state(span.id, number) for number in numbers])
            for number in numbers:
                entry = found.get(_state(span.id, number))
                state = None if entry is None else _state_or_none(entry)
                if isinstance(state, Mark):
                    self._remember(span.id, number, state)
                else:
                    yield number, state, 0 if entry is None else entry.version

    def is_free(self, held: Held | None) -> bool:
        """Whether the chunk may be claimed. A lease that has longer to go than leases last is one of another clock."""
        now = self._now()
        return held is None or not now < held.until <= now + self._lease

    def claim(self, span: Span, number: int, held: Held | None, version: int, holder: str) -> Held | None:
        """Take a free chunk as it was found; None if another was faster or it turns out to be complete."""
        now = self._now()
        since = now if held is None else held.since
        lines, counts = ((), Counts()) if held is None else (held.lines, held.counts)
        claimed = Held(holder, now + self._lease, since, lines, counts)
        if not self._write_first(span, number, claimed, version):
            return None
        # Whoever had it before may have written the output and died before the mark.
        return None if version and self._mark_written(span, number, since) else claimed

    def renew(self, span: Span, number: int, holder: str) -> None:
        """Keep a chunk for another lease. Conflict if it is no longer the holder's."""
        self._change(span, number, holder, lambda held: held._replace(until=self._now() + self._lease))

    def release(self, span: Span, number: int, holder: str, lines: Sequence[str], counts: Counts) -> None:
        """Give a chunk back with what there is of its outcomes. Conflict if it is no longer the holder's."""
        now = self._now()
        self._change(span, number, holder, lambda held: held._replace(until=now, lines=tuple(lines), counts=counts))

    def finish(self, span: Span, number: int, holder: str, lines: Sequence[str], counts: Counts) -> None:
        """Write a chunk's output, all of it. Conflict if it is no longer the holder's."""
        if len(lines) != span.items_in(number):
            raise ValueError(f"a chunk of {span.items_in(number)} items has {len(lines)} outcomes")
        held = self._change(span, number, holder, lambda held: held._replace(until=self._now() + self._lease))
        document = {"items": list(lines), "counts": counts}
        # A holder may be stopped between the line above and this one for as long as it takes others to do its work.
        if self._backend.add(NAMESPACE, _output(span.id, number), encode(document), self._time_left(span)):
            self._mark(span, number, lines, counts, held.since)
        else:
            self._mark_written(span, number, held.since)

    def _mark_written(self, span: Span, number: int, since: datetime) -> bool:
        """Mark the chunk by the output that there is; False without one."""
        entry = self._backend.get(NAMESPACE, _output(span.id, number))
        if entry is None:
            return False
        lines, counts = _read_output(span, number, decode(entry))
        self._mark(span, number, lines, counts, since)
        return True

    def _mark(self, span: Span, number: int, lines: Sequence[str], counts: Counts, since: datetime) -> None:
        mark = Mark(counts, sum(len(line.encode()) + 1 for line in lines), since, self._now())
        self._backend.put(NAMESPACE, _state(span.id, number), encode(_of_mark(mark)), self._time_left(span))
        self.forget_input(span.id, number)

    def _write_first(self, span: Span, number: int, held: Held, version: int) -> bool:
        key, value, ttl = _state(span.id, number), encode(_of_held(held)), self._time_left(span)
        if not version:
            return self._backend.add(NAMESPACE, key, value, ttl)
        try:
            self._backend.replace(NAMESPACE, key, value, version, ttl)
        except Conflict:
            return False
        return True

    def _change(self, span: Span, number: int, holder: str, change: Callable[[Held], Held]) -> Held:
        entry = self._backend.get(NAMESPACE, _state(span.id, number))
        state = None if entry is None else read_state(entry)
        if entry is None or not isinstance(state, Held) or state.holder != holder:
            raise Conflict(f"the chunk {number} of the job {span.id} is no longer held by this worker")
        changed = change(state)
        value = encode(_of_held(changed))
        self._backend.replace(NAMESPACE, _state(span.id, number), value, entry.version, self._time_left(span))
        return changed

    def _known(self, id: str) -> dict[int, Mark]:
        known = self._marks.setdefault(id, {})
        self._marks.move_to_end(id)
        while len(self._marks) > REMEMBERED:
            self._marks.popitem(last=False)
        return known

    def _remember(self, id: str, number: int, mark: Mark) -> None:
        with self._lock:
            self._known(id)[number] = mark

    def _time_left(self, span: Span) -> timedelta:
        return max(span.expires_at - self._now(), timedelta(seconds=1))


def read_state(entry: Entry) -> Mark | Held:
    """The state that an entry holds. Corrupt if it holds none."""
    document = decode(entry)
    counts, since = _counts(document), to_moment(document.get("since"))
    if "at" in document:
        size = document.get("size")
        if type(size) is not int:
            raise Corrupt("a mark without a size")
        return Mark(counts, size, since, to_moment(document["at"]))
    lines = document.get("lines")
    if not isinstance(lines, list) or not isinstance(document.get("holder"), str):
        raise Corrupt("a claim that is damaged")
    return Held(document["holder"], to_moment(document.get("until")), since, tuple(map(str, lines)), counts)


def _state_or_none(entry: Entry) -> Mark | Held | None:
    try:
        return read_state(entry)
    except Corrupt as exc:
        logger.warning("the state of a chunk is read from its output: %s", exc)
        return None


def _of_mark(mark: Mark) -> Document:
    return {"counts": mark.counts, "size": mark.size, "since": to_text(mark.since), "at": to_text(mark.at)}


def _of_held(held: Held) -> Document:
    moments = {"until": to_text(held.until), "since": to_text(held.since)}
    return {"holder": held.holder, **moments, "lines": list(held.lines), "counts": held.counts}


def _read_output(span: Span, number: int, document: Mapping[str, Any]) -> tuple[list[str], Counts]:
    lines = document.get("items")
    if not isinstance(lines, list) or len(lines) != span.items_in(number):
        raise Corrupt(f"the output {number} of the job {span.id} is missing or damaged")
    return [str(line) for line in lines], _counts(document)


def _counts(document: Mapping[str, Any]) -> Counts:
    counts = document.get("counts")
    if not isinstance(counts, list) or len(counts) != len(Counts()) or any(type(count) is not int for count in counts):
        raise Corrupt("counts that are damaged")
    return Counts(*counts)


def _input(id: str, number: int) -> str:
    return f"input/{id}/{number}"


def _output(id: str, number: int) -> str:
    return f"output/{id}/{number}"


def _state(id: str, number: int) -> str:
    return f"chunk/{id}/{number}"
