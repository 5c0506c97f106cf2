"""Jobs: long lists of abstracts, worked off a chunk at a time by whoever has it (see chunks)."""

import hashlib
import itertools
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from storage.base import Backend
from storage.errors import Conflict, Corrupt, NameTaken
from storage.records.chunks import NAMESPACE, Chunks, Counts, Held, Item
from storage.records.documents import ATTEMPTS, decode, encode, pause
from storage.records.job import Job, from_document, to_document
from storage.records.listings import Listings, Waiting
from storage.records.progress import Progress, progress_of

logger = logging.getLogger(__name__)

MOST_OPEN_OF_ONE: Final = 50
"""Jobs of one owner that may be open unless it is said."""

CHUNK: Final = 32
"""Items in a chunk of a new job. What a worker that dies had of one is worked off again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that is the holder's to work off. held: with what an earlier holder had of it."""

    job: Job
    number: int
    held: Held


class Left(NamedTuple):
    """What is left to do: jobs that are not over, and their chunks that wait and that are held."""

    jobs: int
    waiting: int
    held: int


class Jobs:
    """Jobs over a backend. Anything may raise Unavailable; Corrupt if a document is damaged.

    A chunk is held by one worker at a time, for `lease` unless it renews; what it does after another has taken over
    raises Conflict or changes nothing. How far a job is, and whether it is done, is what its chunks say. All of a job
    expires together.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        ttl: timedelta,
        most_open: int = MOST_OPEN_OF_ONE,
        lease: timedelta = timedelta(seconds=15),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`most_open`: how many jobs of one owner may be open."""
        self._backend = backend
        self._ttl = ttl
        self._now = now
        self._listings = Listings(backend, ttl=ttl, most_open=most_open, now=now)
        self._chunks = Chunks(backend, lease=lease, now=now)

    def create(
        self,
        owner: str,
        model: str,
        items: Iterable[Item],
        *,
        threshold: float | None = None,
        top_k: int | None = None,
        also: Sequence[str] = (),
        chunk: int = CHUNK,
        name: str | None = None,
        digest: Callable[[], str] = str,
        request: str = "",
    ) -> Job:
        """Store a job of these items, so many in a `chunk`, which are read once, and let it be worked on.

        `name` is the client's for its request, and `digest` gives one of the request once the items have been read: if
        the owner has a job by that name already, that one is returned; NameTaken if it was asked for in other words.
        ValueError without items, OwnerFull if the owner has too many open jobs, Full if all have; no error leaves
        anything behind.
        """
        now = self._now()
        id, until = secrets.token_hex(16), now + self._ttl
        job = Job(id, 0, chunk, until, owner, model, now, threshold, top_k, request, also=tuple(also))
        if name is None:
            self._listings.check_room(owner)  # before all of it is stored; counted again at the end
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
            self._listings.open(job.id, owner)
            undo.callback(self._listings.close, job.id)
            self._listings.enlist(job.id, owner)
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

    def of(self, owner: str, after: str | None, most: int) -> list[Job]:
        """The owner's jobs, newest first, at most so many; those that came before the job `after`, if that is given."""
        ids = self._listings.of(owner)
        if after is not None:
            ids = ids[ids.index(after) + 1 :] if after in ids else []
        found = self._backend.get_many(NAMESPACE, [_record(id) for id in ids[:most]])
        return [from_document(id, decode(found[_record(id)])) for id in ids[:most] if _record(id) in found]

    def progress(self, job: Job) -> Progress:
        """How far it is: by its chunks, or as it was when it ended."""
        if job.ended is not None:
            return job.ended
        return progress_of(job, self._chunks.marks(job), self._started_at(job), self._listings.delayed_until(job.id))

    def results(self, job: Job, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The outcomes that are ready, one a line, in order, as bytes from `start` up to `end`.

        Outcomes are ready up to the first chunk that is not complete. Corrupt if one is missing or damaged.
        """
        ready = self.progress(job)
        end, at = ready.size if end is None else min(end, ready.size), 0
        for number, mark in itertools.islice(self._chunks.marks(job).items(), -(-ready.ready // job.chunk)):
            if at < end and at + mark.size > start:
                blob = self._chunks.output(job, number, mark)
                yield blob[max(0, start - at) : end - at]
            at += mark.size
        if at < end:
            raise Corrupt(f"results of the job {job.id} are missing")

    def offset(self, job: Job, line: int) -> int:
        """Where in the results a line begins, counted from 0; their size if there are not as many ready."""
        number, inside = divmod(line, job.chunk)
        ready = self.progress(job)
        if line >= ready.ready:
            return ready.size
        marks = self._chunks.marks(job)
        before = sum(marks[earlier].size for earlier in range(number))
        lines = self._chunks.output(job, number, marks[number]).split(b"\n")[:inside]
        return before + sum(len(line) + 1 for line in lines)

    def cancel(self, id: str, owner: str) -> Job | None:
        """End a job; one that is over stays as it is. None if the owner has none with this id."""
        job = self.get(id, owner)
        return None if job is None else self._end(job, "cancelled")

    def settle(self, job: Job) -> bool:
        """End the job if all its chunks are complete; whether it is over."""
        if any(True for _ in self._chunks.unfinished(job)):
            return job.over
        return self._end(job, "done").over

    def waiting(self) -> list[Waiting]:
        """The jobs with work left, in the order in which they came. Some may be over or gone."""
        return self._listings.waiting()

    def left(self) -> Left:
        """What is left to do of all jobs but those that are damaged. It asks for the state of every such chunk."""
        jobs = waiting = held = 0
        for each in self.waiting():
            with suppress(Corrupt):
                job = self.find(each.id)
                if job is not None and not job.over:
                    states = [state for _, state, _ in self._chunks.unfinished(job)]
                    free = sum(self._chunks.is_free(state) for state in states)
                    jobs, waiting, held = jobs + 1, waiting + free, held + len(states) - free
        return Left(jobs, waiting, held)

    def todo(self, id: str, most: int) -> list[tuple[int, str | None]]:
        """The first chunks that may be claimed, each with the holder that it had; none if the job is to wait."""
        job = self._workable(id)
        free = () if job is None else self._free(job)
        return [(number, held and held.holder) for number, held, _ in itertools.islice(free, most)]

    def claim(self, id: str, holder: str, number: int | None = None) -> Claim | None:
        """Take the first free chunk of a job, or the one with this number; None if there is none.

        A job all of whose chunks turn out to be complete is ended.
        """
        job = self._workable(id)
        if job is None:
            return None
        for free, held, version in self._free(job):
            if number is None or free == number:
                claimed = self._chunks.claim(job, free, held, version, holder)
                if claimed is not None:
                    return Claim(job, free, claimed)
        self.settle(job)
        return None

    def input(self, claim: Claim) -> list[Item] | None:
        """The items of a chunk; None when they are lost. Conflict if it is no longer the holder's."""
        items = self._chunks.input(claim.job, claim.number)
        if items is None:
            self.renew(claim)  # who completed the chunk or ended the job meanwhile has taken its abstracts away
        return items

    def renew(self, claim: Claim) -> None:
        """Keep a chunk for another lease. Conflict if it is no longer the holder's, or its job is over."""
        self._check_open(claim.job)
        self._chunks.renew(claim.job, claim.number, claim.held.holder)

    def release(self, claim: Claim, lines: Sequence[str], counts: Counts) -> None:
        """Give a chunk back with what there is of its outcomes. Conflict if it is no longer the holder's."""
        self._chunks.release(claim.job, claim.number, claim.held.holder, lines, counts)

    def finish(self, claim: Claim, lines: Sequence[str], counts: Counts) -> None:
        """Write the outcomes of a chunk, all of them; the last one ends the job. Conflict if it is not the holder's."""
        self._check_open(claim.job)
        self._chunks.finish(claim.job, claim.number, claim.held.holder, lines, counts)
        self.settle(claim.job)

    def delay(self, job: Job, delay: timedelta) -> None:
        """Let no chunk of it be claimed for so long."""
        self._listings.delay(job.id, delay)

    def _check_open(self, job: Job) -> None:
        present = self.find(job.id)
        if present is None or present.over:
            raise Conflict(f"the job {job.id} is over")

    def _workable(self, id: str) -> Job | None:
        """The job if chunks of it may be claimed now; one that is over, gone or damaged no longer counts as waiting."""
        try:
            job = self.find(id)
        except Corrupt as exc:
            logger.warning("the job %s is given up: %s", id, exc)
            job = None
        if job is None or job.over:
            self._listings.close(id)
            return None
        return job if self._listings.delayed_until(id) is None else None

    def _free(self, job: Job) -> Iterator[tuple[int, Held | None, int]]:
        return (chunk for chunk in self._chunks.unfinished(job) if self._chunks.is_free(chunk[1]))

    def _started_at(self, job: Job) -> datetime | None:
        first = next(self._chunks.unfinished(job), None)
        return None if first is None or first[1] is None else first[1].since

    def _store_items(self, job: Job, items: Iterable[Item]) -> int:
        total = 0
        rest = iter(items)
        while chunk := list(itertools.islice(rest, job.chunk)):
            self._chunks.add_input(job.id, total // job.chunk, chunk, self._ttl)
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
            self._listings.open(first.id, first.owner)  # its own request may have died just before this
        return first

    def _end(self, job: Job, state: Literal["done", "cancelled"]) -> Job:
        """The job in its last state, which is this one unless it was over before."""
        for attempt in range(ATTEMPTS):
            entry = self._backend.get(NAMESPACE, _record(job.id))
            if entry is None:
                raise Conflict(f"the job {job.id} is gone")
            present = from_document(job.id, decode(entry))
            if not present.over:
                present = self._ended(present, state)
                left = max(job.expires_at - self._now(), timedelta(seconds=1))
                try:
                    self._backend.replace(NAMESPACE, _record(job.id), encode(to_document(present)), entry.version, left)
                except Conflict:
                    pause(attempt)
                    continue
            self._listings.close(job.id)
            self._forget(present)
            return present
        raise Conflict(f"the job {job.id} changed {ATTEMPTS} times in a row")

    def _ended(self, job: Job, state: Literal["done", "cancelled"]) -> Job:
        said = progress_of(job, self._chunks.marks(job), self._started_at(job), None)
        if said.done == job.total:
            state = "done"
        finished_at = said.finished_at if state == "done" else self._now()
        return replace(job, state=state, ended=said._replace(finished_at=finished_at, seconds_left=0.0))

    def _forget(self, job: Job) -> None:
        done = self._chunks.marks(job)
        for number in job.numbers:
            if number not in done:
                self._chunks.forget_input(job.id, number)

    def _discard(self, job: Job) -> None:
        self._backend.remove(NAMESPACE, _record(job.id))
        for number in job.numbers if job.total else itertools.count():
            if not self._chunks.forget_input(job.id, number) and not job.total:
                return


def _name(owner: str, name: str) -> str:
    return f"name/{owner}/{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()}"


def _is_id(text: str) -> bool:
    return len(text) == 32 and not set(text) - set("0123456789abcdef")


def _record(id: str) -> str:
    return f"head/{id}"
