"""Works off one job that is held, a few abstracts at a time."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Final

from model.errors import ModelError, Overloaded
from service.access.ratelimits import RateLimits, Window
from service.errors import LimitExceeded
from service.predicting.classification import Answer, Classification
from service.predicting.models import Models
from service.predicting.outcomes import render_outcome, tally
from storage.errors import Corrupt
from storage.records.apikeys import ApiKey, Keys
from storage.records.jobs import CHUNK, Item, Job, Jobs

GROUP: Final = 8
"""Abstracts that are looked up together; CHUNK is a multiple of it."""

SAVE_EVERY: Final = 1.0
"""Seconds after which what is done of a chunk is stored, so that it can be read and the lease is renewed."""

Observe = Callable[[Answer], None]
Outcome = Answer | Exception | Item
"""What is stored in place of an item: an answer, an error, or the problem that it came in with."""


class Runner:
    """Runs jobs through the cache that single requests use. Model runs count against the quota of the job's key.

    An overloaded model or a quota that is used up makes a job wait; everything else that goes wrong with an abstract is
    its outcome. Nothing of this needs to be undone: a job that is left where it is is taken up from its last save.
    """

    def __init__(
        self,
        jobs: Jobs,
        models: Models,
        classification: Classification,
        keys: Keys,
        limits: RateLimits,
        observe: Observe = lambda _: None,
    ) -> None:
        self._jobs = jobs
        self._models = models
        self._classification = classification
        self._keys = keys
        self._limits = limits
        self._observe = observe

    def run(self, job: Job, holder: str, stop: Event) -> Job:
        """Works until the job is over, must wait, or `stop` is set; in the latter two cases it is given back.

        Raises Conflict if the job was cancelled or taken over, and Unavailable.
        """
        key = self._keys.get(job.owner)
        if key is None or key.revoked_at is not None:
            return self._jobs.cancel(job.id, job.owner) or job
        while not job.over:
            job, pause = self._run_chunk(job, holder, key, stop)
            if pause is not None:
                self._jobs.release(job, holder, timedelta(seconds=pause))
                break
        return job

    def _run_chunk(self, job: Job, holder: str, key: ApiKey, stop: Event) -> tuple[Job, float | None]:
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
            outcomes, pause = self._answer(job, items[position : position + GROUP], key, stop)
            position += len(outcomes)
            lines += [_line(job, outcome) for outcome in outcomes]
            job = _counted(job, outcomes)
            due = pause is not None or position == len(items) or time.monotonic() - saved_at >= SAVE_EVERY
            if due and position > saved:
                job = self._jobs.progress(job, holder, number, lines)
                saved, saved_at = position, time.monotonic()
        return job, pause

    def _answer(self, job: Job, items: Sequence[Item], key: ApiKey, stop: Event) -> tuple[list[Outcome], float | None]:
        """The outcomes of the first items, and None if that is all of them, else how long the next one has to wait."""
        if stop.is_set():
            return [], 0.0
        answers = iter(self._classify(job, [item for item in items if isinstance(item, str)], key))
        outcomes: list[Outcome] = []
        for item in items:
            outcome = next(answers) if isinstance(item, str) else item
            if isinstance(outcome, Overloaded | LimitExceeded):
                return outcomes, outcome.retry_after
            outcomes.append(outcome)
            if isinstance(outcome, Answer):
                self._observe(outcome)
        return outcomes, None

    def _classify(self, job: Job, texts: Sequence[str], key: ApiKey) -> Iterable[Answer | Exception]:
        spent: list[Window] = []
        try:
            model = self._models.get(job.model)
        except ModelError as error:
            return [error] * len(texts)
        return self._classification.classify_many(model, texts, charge=lambda: self._limits.spend_inference(key, spent))


def _line(job: Job, outcome: Outcome) -> str:
    if isinstance(outcome, Answer | Exception):
        return render_outcome(outcome, {"threshold": job.threshold, "top_k": job.top_k}).decode()
    return json.dumps(outcome, ensure_ascii=False)


def _counted(job: Job, outcomes: Sequence[Outcome]) -> Job:
    counts = tally(outcomes)
    return replace(
        job,
        done=job.done + len(outcomes),
        hits=job.hits + counts["hits"] + counts["collapsed"],
        misses=job.misses + counts["misses"],
        problems=job.problems + counts["problems"],
    )
