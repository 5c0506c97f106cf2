"""Works off one job that is held, a few abstracts at a time."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from model.errors import ModelError, Overloaded
from service.access.ratelimits import Payer, RateLimits
from service.errors import LimitExceeded
from service.jobs.items import to_entry
from service.predicting.entries import Entry
from service.predicting.models import Models
from service.predicting.predictor import Answer, Predictor
from service.predicting.rendering import RenderOptions, tally
from storage.errors import Corrupt
from storage.records.apikeys import ApiKey, Keys
from storage.records.jobs import CHUNK, Item, Job, Jobs

GROUP: Final = 8
"""Abstracts that are looked up together; CHUNK is a multiple of it."""

SAVE_EVERY: Final = 1.0
"""Seconds after which what is done of a chunk is stored, so that it can be read and the lease is renewed."""

Stopping = Callable[[], bool]
Output = Answer | Exception | Item
"""What is stored in place of an item: an answer, an error, or the problem that it came in with."""


class Runner:
    """Runs jobs through the cache that single requests use. Model runs count against the quota of the job's key.

    An overloaded model or a quota that is used up makes a job wait; everything else that goes wrong with an abstract is
    its output. Nothing of this needs to be undone: a job that is left where it is is taken up from its last save.
    """

    def __init__(
        self,
        jobs: Jobs,
        models: Models,
        predictor: Predictor,
        keys: Keys,
        limits: RateLimits,
    ) -> None:
        self._jobs = jobs
        self._models = models
        self._predictor = predictor
        self._keys = keys
        self._limits = limits

    def run(self, job: Job, holder: str, stopping: Stopping) -> Job:
        """Works until the job is over, must wait, or `stopping()`; in the latter two cases it is given back.

        Raises Conflict if the job was cancelled or taken over, and Unavailable.
        """
        key = self._keys.get(job.owner)
        if key is None or key.revoked_at is not None:
            return self._jobs.cancel(job.id, job.owner) or job
        while not job.over:
            job, pause = self._run_chunk(job, holder, key, stopping)
            if pause is not None:
                self._jobs.release(job, holder, timedelta(seconds=pause))
                break
        return job

    def _run_chunk(self, job: Job, holder: str, key: ApiKey, stopping: Stopping) -> tuple[Job, float | None]:
        """The job after a chunk, or after so much of it as could be done, and the seconds that the rest must wait."""
        number, position = divmod(job.done, CHUNK)
        items = self._jobs.input(job, number)
        if position >= len(items):
            self._jobs.renew(job, holder)  # who ended the job meanwhile has taken its abstracts away
            raise Corrupt(f"abstracts of the job {job.id} are missing")
        lines = self._jobs.output(job, number)[:position]
        saved, saved_at = position, time.monotonic()
        pause: float | None = None
        while pause is None and position < len(items):
            done, pause = self._answer(job, items[position : position + GROUP], key, stopping)
            position += len(done)
            lines += [line for line, _ in done]
            job = _counted(job, [output for _, output in done])
            due = pause is not None or position == len(items) or time.monotonic() - saved_at >= SAVE_EVERY
            if due and position > saved:
                job = self._jobs.progress(job, holder, number, lines)
                saved, saved_at = position, time.monotonic()
        return job, pause

    def _answer(
        self, job: Job, items: Sequence[Item], key: ApiKey, stopping: Stopping
    ) -> tuple[list[tuple[str, Output]], float | None]:
        """The first items' lines and outputs, and None if that is all, else how long the next one has to wait."""
        if stopping():
            return [], 0.0
        entries = [to_entry(item) for item in items]
        answers = iter(self._classify(job, [entry for entry in entries if entry is not None], key))
        done: list[tuple[str, Output]] = []
        for item, entry in zip(items, entries, strict=True):
            output = item if entry is None else next(answers)
            if isinstance(output, Overloaded | LimitExceeded):
                return done, output.retry_after
            done.append((_line(job, entry, output), output))
        return done, None

    def _classify(self, job: Job, entries: Sequence[Entry], key: ApiKey) -> Iterable[Answer | Exception]:
        try:
            model = self._models.get(job.model)
        except ModelError as error:
            return [error] * len(entries)
        return self._predictor.predict(model, [entry.abstract for entry in entries], payer=Payer(self._limits, key))


def _line(job: Job, entry: Entry | None, output: Output) -> str:
    if entry is not None and isinstance(output, Answer | Exception):
        return entry.render(output, RenderOptions(job.threshold, job.top_k)).decode()
    return json.dumps(output, ensure_ascii=False)


def _counted(job: Job, outputs: Sequence[Output]) -> Job:
    counts = tally(outputs)
    return replace(
        job,
        done=job.done + len(outputs),
        hits=job.hits + counts["hits"] + counts["collapsed"],
        misses=job.misses + counts["misses"],
        problems=job.problems + counts["problems"],
    )
