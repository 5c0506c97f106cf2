"""Jobs: long lists of abstracts, worked off a little at a time by whoever holds the job."""

import hashlib
import itertools
import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from storage.base import Backend, Entry
from storage.errors import Conflict, Corrupt, Full, NameTaken
from storage.records.documents import ATTEMPTS, Document, decode, encode, to_moment, to_moment_or_none, to_text, update

logger = logging.getLogger(__name__)

NAMESPACE: Final = "jobs"

# Finding work must not need a scan, which not every backend has; so the ids of jobs with work left are in one document.
OPEN: Final = "open"
MOST_OPEN: Final = 1000

CHUNK: Final = 32
"""Items in one document of input or output. Changed, it would misread the jobs that are stored."""

State = Literal["queued", "running", "done", "cancelled"]

OVER: Final[tuple[State, ...]] = ("done", "cancelled")

Item = str | Document
"""An abstract, alone or with what came with it; or, of one that was refused, the outcome that stands in its place."""


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


class Jobs:
    """Jobs over a backend. Anything may raise Unavailable; Corrupt if a document is damaged.

    A job is held by one worker at a time, for `lease` unless it renews. What a worker does after another has taken over
    raises Conflict; outcomes are keyed by content, so that work done twice does no harm. All of a job expires together.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        ttl: timedelta,
        lease: timedelta = timedelta(seconds=15),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._backend = backend
        self._ttl = ttl
        self._now = now
        self.lease = lease

    def create(
        self,
        owner: str,
        model: str,
        items: Iterable[Item],
        *,
        threshold: float | None = None,
        top_k: int | None = None,
        name: str | None = None,
        digest: Callable[[], str] = str,
    ) -> Job:
        """Store a job of these items, which are read once, and let it be worked on.

        `name` is the client's for its request, and `digest` gives one of the request once the items have been read: if
        the owner has a job by that name already, that one is returned; NameTaken if it was asked for in other words.
        ValueError without items, Full if there is too much to do already; no error leaves anything behind.
        """
        now = self._now()
        job = Job(secrets.token_hex(16), owner, model, 0, now, now + self._ttl, threshold, top_k)
        with ExitStack() as undo:
            undo.callback(lambda: self._discard(job))
            job = replace(job, total=self._store_items(job, items))
            self._backend.put(NAMESPACE, _record(job.id), encode(to_document(job)), self._ttl)
            if name is not None:
                key = _name(owner, name)
                first = self._claim_name(key, job, digest())
                if first is not None:
                    return first
                undo.callback(self._backend.remove, NAMESPACE, key)
            self._open(job.id)
            undo.pop_all()
        return job

    def get(self, id: str, owner: str) -> Job | None:
        """The owner's job with this id; None if there is none."""
        job = self.find(id) if _is_id(id) else None
        return job if job is not None and job.owner == owner else None

    def find(self, id: str) -> Job | None:
        """The job with this id, whoever owns it."""
        entry = self._backend.get(NAMESPACE, _record(id))
        return None if entry is None else from_document(id, decode(entry))

    def outcomes(self, job: Job) -> Iterator[str]:
        """What became of the first `job.done` items, in order, each a JSON object."""
        for number in range(-(-job.done // CHUNK)):
            yield from self.output(job, number)[: job.done - number * CHUNK]

    def output(self, job: Job, number: int) -> list[str]:
        """The outcomes stored so far of the chunk with this number."""
        return [str(line) for line in self._list(_output(job.id, number))]

    def input(self, job: Job, number: int) -> list[Item]:
        """The items of the chunk with this number; none when the job is over."""
        return self._list(_input(job.id, number))

    def cancel(self, id: str, owner: str) -> Job | None:
        """End a job; one that is over stays as it is. None if the owner has none with this id."""
        if self.get(id, owner) is None:
            return None
        return self._end(id, lambda job: job if job.over else self._over(job, "cancelled"))

    def open_jobs(self) -> list[Job]:
        """The jobs with work left, in the order in which they came."""
        entry = self._backend.get(NAMESPACE, OPEN)
        ids = [] if entry is None else _ids(decode(entry))
        found = self._backend.get_many(NAMESPACE, [_record(id) for id in ids])
        read = [_parse_or_log(id, found[_record(id)]) for id in ids if _record(id) in found]
        jobs = [job for job in read if job is not None and not job.over]
        if len(jobs) < len(ids):
            self._close(set(ids) - {job.id for job in jobs})
        return jobs

    def is_free(self, job: Job) -> bool:
        """Whether a worker may take it up now: it is not over, nobody holds it, and it need not wait."""
        now = self._now()
        held = job.held_until is not None and job.held_until > now
        return not job.over and not held and (job.not_before is None or job.not_before <= now)

    def claim(self, holder: str, id: str | None = None) -> Job | None:
        """Take up the first free job, or the one with this id if it is free; None if there is none."""
        candidates = self.open_jobs() if id is None else [job for job in [self.find(id)] if job is not None]
        for job in filter(self.is_free, candidates):
            try:
                return self._change(job.id, lambda present: self._taken(present, holder))
            except Conflict:
                continue  # another worker was faster
        return None

    def progress(self, job: Job, holder: str, number: int, lines: Sequence[str]) -> Job:
        """Store the outcomes of a chunk so far and the job's counts, and renew the lease.

        `job` has the new counts; the last item's makes it `done`. Conflict if it is no longer the holder's.
        """
        key = _output(job.id, number)
        self._backend.put(NAMESPACE, key, encode({"items": list(lines)}), self._time_left(job))

        def changed(present: Job) -> Job:
            self._check_held(present, holder)
            counts = {name: getattr(job, name) for name in ("done", "hits", "misses", "problems")}
            counted = replace(present, **counts, held_until=self._until())
            return self._over(counted, "done") if counted.done == counted.total else counted

        return self._end(job.id, changed) if job.done == job.total else self._change(job.id, changed)

    def renew(self, job: Job, holder: str) -> Job:
        """Keep the job for another lease. Conflict if it is no longer the holder's."""

        def changed(present: Job) -> Job:
            self._check_held(present, holder)
            return replace(present, held_until=self._until())

        return self._change(job.id, changed)

    def release(self, job: Job, holder: str, pause: timedelta = timedelta(0)) -> None:
        """Give the job back, to be taken up again after `pause`. Conflict if it is no longer the holder's."""

        def changed(present: Job) -> Job:
            self._check_held(present, holder)
            return replace(present, state="queued", holder=None, held_until=None, not_before=self._now() + pause)

        self._change(job.id, changed)

    def _store_items(self, job: Job, items: Iterable[Item]) -> int:
        total = 0
        rest = iter(items)
        while chunk := list(itertools.islice(rest, CHUNK)):
            self._backend.put(NAMESPACE, _input(job.id, total // CHUNK), encode({"items": chunk}), self._ttl)
            total += len(chunk)
        if not total:
            raise ValueError("a job has at least one item")
        return total

    def _claim_name(self, key: str, job: Job, digest: str) -> Job | None:
        """None if the name is this job's now, else the job that has it."""
        if self._backend.add(NAMESPACE, key, encode({"job": job.id, "digest": digest}), self._ttl):
            return None
        entry = self._backend.get(NAMESPACE, key)
        document = {} if entry is None else decode(entry)
        if document.get("digest") != digest:
            raise NameTaken("this name stands for another request")
        first = self.find(str(document.get("job")))
        if first is None:
            raise Conflict(f"the job {document.get('job')} is gone")
        if not first.over:
            self._open(first.id)  # its own request may have died just before this
        return first

    def _open(self, id: str) -> None:
        def added(document: Document | None) -> Document:
            ids = [] if document is None else _ids(document)
            if len(ids) >= MOST_OPEN and id not in ids:
                raise Full(f"{MOST_OPEN} jobs wait already")
            return {"ids": ids if id in ids else [*ids, id]}

        update(self._backend, NAMESPACE, OPEN, added)

    def _close(self, ids: Collection[str]) -> None:
        def removed(document: Document | None) -> Document:
            return {"ids": [id for id in _ids(document or {"ids": []}) if id not in ids]}

        update(self._backend, NAMESPACE, OPEN, removed)

    def _taken(self, job: Job, holder: str) -> Job:
        if not self.is_free(job):
            raise Conflict(f"the job {job.id} is not free")
        now = self._now()
        return replace(
            job,
            state="running",
            holder=holder,
            held_until=self._until(),
            not_before=None,
            started_at=job.started_at or now,
            resumed_at=now,
            resumed_done=job.done,
        )

    def _over(self, job: Job, state: State) -> Job:
        return replace(job, state=state, finished_at=self._now(), holder=None, held_until=None, not_before=None)

    def _end(self, id: str, change: Callable[[Job], Job]) -> Job:
        """Like _change, for what makes a job be over: its abstracts are not kept longer than they are needed."""
        job = self._change(id, change)
        self._close([id])
        self._forget_input(job)
        return job

    def _change(self, id: str, change: Callable[[Job], Job]) -> Job:
        for _ in range(ATTEMPTS):
            entry = self._backend.get(NAMESPACE, _record(id))
            if entry is None:
                raise Conflict(f"the job {id} is gone")
            job = change(from_document(id, decode(entry)))
            try:
                self._backend.replace(
                    NAMESPACE, _record(id), encode(to_document(job)), entry.version, self._time_left(job)
                )
            except Conflict:
                continue
            return job
        raise Conflict(f"the job {id} changed {ATTEMPTS} times in a row")

    def _discard(self, job: Job) -> None:
        self._backend.remove(NAMESPACE, _record(job.id))
        self._forget_input(job)

    def _forget_input(self, job: Job) -> None:
        numbers = range(-(-job.total // CHUNK)) if job.total else itertools.count()
        for number in numbers:
            if not self._backend.remove(NAMESPACE, _input(job.id, number)) and not job.total:
                return

    def _list(self, key: str) -> list[Any]:
        entry = self._backend.get(NAMESPACE, key)
        items = [] if entry is None else decode(entry).get("items")
        if not isinstance(items, list):
            raise Corrupt(f"{key} holds no list")
        return items

    def _until(self) -> datetime:
        return self._now() + self.lease

    def _time_left(self, job: Job) -> timedelta:
        return max(job.expires_at - self._now(), timedelta(seconds=1))

    def _check_held(self, job: Job, holder: str) -> None:
        if job.holder != holder:
            raise Conflict(f"the job {job.id} is no longer held by this worker")


def _name(owner: str, name: str) -> str:
    return f"name/{owner}/{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()}"


def _parse_or_log(id: str, entry: Entry) -> Job | None:
    try:
        return from_document(id, decode(entry))
    except Corrupt as exc:
        logger.warning("the job %s is given up: %s", id, exc)
        return None


def _is_id(text: str) -> bool:
    return len(text) == 32 and not set(text) - set("0123456789abcdef")


def _record(id: str) -> str:
    return f"job/{id}"


def _input(id: str, number: int) -> str:
    return f"input/{id}/{number}"


def _output(id: str, number: int) -> str:
    return f"output/{id}/{number}"


def _ids(document: Document) -> list[str]:
    ids = document.get("ids")
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise Corrupt("the list of open jobs is damaged")
    return ids


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
