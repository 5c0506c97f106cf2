"""Requests for jobs: abstracts of a JSON list or of an uploaded file, checked one by one as they are stored."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO

from service.errors import InvalidRequest
from service.input.errors import InputError, Unusable
from service.input.read import read
from service.jobs.attendants import Attendant
from service.jobs.items import is_paper, paper_item, paper_of, to_item
from service.predicting.entries import Entry, file_entry, listed_entry
from service.predicting.models import Models
from service.telemetry.metrics import Limit
from storage.errors import Full, OwnerFull
from storage.records.chunks import Item
from storage.records.job import Job
from storage.records.jobs import CHUNK, Jobs
from storage.records.progress import Progress

_IDEMPOTENCY_KEY_MAX = 255


class Intake:
    """Takes jobs in for an API key and has them worked on."""

    def __init__(
        self,
        jobs: Jobs,
        models: Models,
        attend: Callable[[], Attendant],
        maximum: int,
        refused: Callable[[Limit], None] = lambda _: None,
    ) -> None:
        """`refused` is told when there are too many jobs."""
        self._jobs = jobs
        self._models = models
        self._attend = attend
        self._maximum = maximum
        self._refused = refused

    def submit(
        self,
        owner: str,
        items: Iterable[Item],
        options: Mapping[str, Any],
        name: str | None = None,
        request: str = "",
    ) -> tuple[Job, Progress]:
        """A job, stored now or under this `name` (Idempotency-Key) before, and how far it is.

        `options`: model, threshold, top_k and also, each may be absent. What is wrong with an item becomes its result.
        `request`: the id of the request.
        Raises InvalidRequest (none, or too many), NameTaken, OwnerFull, Full, Unavailable, UnknownModel and
        ModelUnavailable.
        """
        if name is not None and not 0 < len(name) <= _IDEMPOTENCY_KEY_MAX:
            raise InvalidRequest(
                {"Idempotency-Key": [f"Send 1 to {_IDEMPOTENCY_KEY_MAX} characters, or no such header."]}
            )
        model = self._models.get(options.get("model"))
        also = [self._models.get(other).name for other in options.get("also", ())]
        chosen: dict[str, Any] = {"threshold": options.get("threshold"), "top_k": options.get("top_k"), "also": also}
        digest = hashlib.sha256(json.dumps([model.name, chosen]).encode())
        chunk, hashed = _chunked(_hashed(self._bounded(items), digest))
        try:
            job = self._jobs.create(
                owner, model.name, hashed, **chosen, chunk=chunk, name=name, digest=digest.hexdigest, request=request
            )
        except Full as error:
            self._refused("jobs-of-key" if isinstance(error, OwnerFull) else "jobs")
            raise
        progress = self._jobs.progress(job)
        self._attend().wake()
        return job, progress

    def _bounded(self, items: Iterable[Item]) -> Iterator[Item]:
        count = 0
        for count, item in enumerate(items, 1):
            if count > self._maximum:
                raise InvalidRequest({"abstracts": [f"Send 1 to {self._maximum} abstracts."]})
            yield item
        if not count:
            raise InvalidRequest({"abstracts": [f"There are none. Send 1 to {self._maximum} abstracts."]})


def listed(abstracts: Iterable[object]) -> Iterator[Item]:
    """The items of a JSON list."""
    for value in abstracts:
        yield to_item(listed_entry(value))


def uploaded(source: BinaryIO, name: str, columns: Mapping[str, str]) -> Iterator[Item]:
    """The items of a file, whatever its form; what is wrong with a record becomes its outcome, which names its place.

    `columns`: text_column and id_column, each may be absent. Raises InputError for a file that is not read.
    """
    for item in read(source, name, **columns):
        yield to_item(file_entry(item)) if item.pdf is None else paper_item(item.pdf, item.input_id)


def several(files: Iterable[tuple[BinaryIO, str]], columns: Mapping[str, str]) -> Iterator[Item]:
    """The items of files with their names. One that is not read is an outcome."""
    for source, name in files:
        try:
            yield from uploaded(source, name, columns)
        except InputError as error:
            yield to_item(Entry(error, name or None))


def _chunked(items: Iterator[Item]) -> tuple[int, Iterator[Item]]:
    """How many items a chunk is to have, and the items.

    Papers are large and take long, so each is a chunk. One that comes after a whole chunk of abstracts is refused.
    """
    head: list[Item] = []
    for item in items:
        head.append(item)
        if is_paper(item):
            return 1, chain(head, items)
        if len(head) == CHUNK:
            break
    return CHUNK, map(_no_paper, chain(head, items))


def _no_paper(item: Item) -> Item:
    if not is_paper(item):
        return item
    return to_item(
        Entry(Unusable("PDF", "A paper among abstracts.", "Send papers in a job of their own."), paper_of(item)[1])
    )


def _hashed(items: Iterable[Item], digest: Any) -> Iterator[Item]:
    for item in items:
        digest.update(json.dumps(item).encode() + b"\n")
        yield item
