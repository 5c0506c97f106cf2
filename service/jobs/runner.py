"""Works off one chunk that is held, a few abstracts at a time."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from model.errors import ModelError
from service.access.ratelimits import Payer, RateLimits
from service.errors import ServiceError
from service.jobs.items import is_paper, paper_of, to_entry
from service.pdf.errors import PdfBusy
from service.pdf.extract import Extractor
from service.predicting.answers import Answer, refusal
from service.predicting.entries import Entry
from service.predicting.models import Models
from service.predicting.papers import paper_entry
from service.predicting.predictor import Predictor
from service.predicting.rendering import DEFAULT_OPTIONS, RenderOptions, render_item, tally
from service.telemetry.metrics import Metrics
from service.telemetry.usage import UsageMeter
from storage.records.apikeys import ApiKey, Keys
from storage.records.chunks import Counts, Item
from storage.records.job import Job
from storage.records.jobs import Claim, Jobs

log = logging.getLogger("abstracts.jobs")

GROUP: Final = 8
"""Abstracts that are looked up together."""

RENEW_EVERY: Final = 1.0
"""Seconds after which the lease of a chunk is renewed."""

PATIENCE: Final = 2.0
"""Seconds that a paper waits for its turn: with those to read it less than a lease, which is renewed afterwards."""

Stopping = Callable[[], bool]
Output = Answer | Exception | Item
"""What is stored in place of an item: an answer, an error, or the problem that it came in with."""


class _Done(NamedTuple):
    """Outcomes of the first items of a chunk. wait: seconds that the next one has to wait; None if it need not."""

    lines: list[str]
    counts: Counts
    wait: float | None = None


class Runner:
    """Runs chunks through the cache that single requests use. Model runs count against the quota of the job's key.

    An overloaded model or a quota that is used up makes a job wait; everything else that goes wrong with an abstract is
    its output. Nothing of this needs to be undone: a chunk that is left where it is is another's when its lease lapses.
    """

    def __init__(
        self,
        jobs: Jobs,
        models: Models,
        predictor: Predictor,
        keys: Keys,
        limits: RateLimits,
        metrics: Metrics,
        usage: UsageMeter,
        pdfs: Extractor,
    ) -> None:
        self._jobs = jobs
        self._models = models
        self._predictor = predictor
        self._keys = keys
        self._limits = limits
        self._metrics = metrics
        self._usage = usage
        self._pdfs = pdfs

    def run(self, claim: Claim, stopping: Stopping) -> None:
        """Works until the chunk is complete, its job must wait, or `stopping()`; in the latter cases it is given back.

        A job whose key is no longer good is cancelled. Raises Conflict if the job was cancelled or the chunk taken
        over, and Unavailable.
        """
        job = claim.job
        key = self._keys.get(job.owner)
        if key is None or not _is_good(key):
            self._jobs.cancel(job.id, job.owner)
            return
        items = self._jobs.input(claim)
        done = _lost(job.items_in(claim.number)) if items is None else self._work(claim, items, key, stopping)
        if done.wait is None:
            self._jobs.finish(claim, done.lines, done.counts)
            self._metrics.chunk("finished")
            log.info("finished chunk %d of %d of the job %s", claim.number + 1, len(job.numbers), job.id)
            return
        if done.wait:
            self._jobs.delay(job, timedelta(seconds=done.wait))
        self._jobs.release(claim, done.lines, done.counts)
        self._metrics.chunk("given-back")

    def _work(self, claim: Claim, items: Sequence[Item], key: ApiKey, stopping: Stopping) -> _Done:
        lines, counts = list(claim.held.lines), claim.held.counts
        renewed_at = time.monotonic()
        while len(lines) < len(items):
            if stopping():
                return _Done(lines, counts, 0.0)
            done = self._answer(claim, items[len(lines) : len(lines) + GROUP], key)
            lines += done.lines
            counts = counts.plus(done.counts)
            if done.wait is not None:
                return _Done(lines, counts, done.wait)
            if time.monotonic() - renewed_at >= RENEW_EVERY:
                self._jobs.renew(claim)
                renewed_at = time.monotonic()
        return _Done(lines, counts)

    def _answer(self, claim: Claim, items: Sequence[Item], key: ApiKey) -> _Done:
        job = claim.job
        try:
            entries = [self._read(claim, item) if is_paper(item) else to_entry(item) for item in items]
        except PdfBusy as busy:
            return _Done([], Counts(), busy.retry_after)
        answers = iter(self._classify(job, [entry for entry in entries if entry is not None], key))
        lines: list[str] = []
        outputs: list[Output] = []
        for item, entry in zip(items, entries, strict=True):
            output = item if entry is None else next(answers)
            refused = [error for part in _parts(output) if (error := refusal(part))]
            if refused:
                return _Done(lines, _counts(outputs), refused[0].retry_after)
            lines.append(_line(job, entry, output))
            outputs.append(output)
        return _Done(lines, _counts(outputs))

    def _read(self, claim: Claim, item: Item) -> Entry:
        data, input_id = paper_of(item)
        entry = paper_entry(self._pdfs, data, claim.job.owner, input_id, PATIENCE)
        if entry.found:
            self._usage.paper(claim.job.owner)
        self._jobs.renew(claim)
        return entry

    def _classify(self, job: Job, entries: Sequence[Entry], key: ApiKey) -> Iterable[Answer | Exception]:
        try:
            model = self._models.get(job.model)
        except ModelError as error:
            return [error] * len(entries)
        also = [entry.others(self._models, job.also) for entry in entries]
        abstracts = [entry.abstract for entry in entries]
        return self._predictor.predict(model, abstracts, payer=Payer(self._limits, key), also=also)


def _parts(output: Output) -> Iterator[Answer | Exception]:
    """The answer or error that it is, and those of further models."""
    if isinstance(output, Answer | Exception):
        yield output
    if isinstance(output, Answer):
        yield from output.also


def _is_good(key: ApiKey) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > datetime.now(UTC))


def _lost(count: int) -> _Done:
    """In place of abstracts that the store has lost, so that no other outcome moves."""
    error = ServiceError("abstract-lost", "The store has lost this abstract. Send it again.")
    return _Done([render_item(error, DEFAULT_OPTIONS).decode()] * count, Counts(problems=count))


def _line(job: Job, entry: Entry | None, output: Output) -> str:
    if entry is not None and isinstance(output, Answer | Exception):
        return entry.render(output, RenderOptions(job.threshold, job.top_k)).decode()
    return json.dumps(output, ensure_ascii=False)


def _counts(outputs: Sequence[Output]) -> Counts:
    counts = tally(outputs)
    return Counts(counts["hits"] + counts["collapsed"], counts["misses"], counts["problems"])
