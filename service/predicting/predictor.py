"""The one use case: abstracts become answers, from memory, the store or the model, each miss worked out once.

No HTTP in here: the API, jobs and commands all come through `predict`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from model.errors import ModelError, Overloaded
from model.text.warnings import DETAILS, find_warnings
from service.access.ratelimits import Payer
from service.errors import LimitExceeded, ServiceError
from service.predicting.abstracts import Abstract
from service.predicting.memory import Memory
from service.predicting.models import ServedModel
from service.predicting.singleflight import SingleFlight
from service.telemetry.metrics import Metrics, Outcome, Source
from service.telemetry.usage import UsageMeter
from storage.errors import StorageError
from storage.records.apikeys import ApiKey
from storage.records.predictions import Prediction, Predictions


@dataclass(frozen=True, slots=True)
class Directives:
    """What a client asks of the cache (RFC 9111, section 5.2.1). max_age: seconds."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: float | None = None


NO_DIRECTIVES = Directives()


class Answer(NamedTuple):
    """A prediction and how it came about.

    outcome: `hit` (memory or store), `miss` (this call ran the model) or `collapsed` (another call ran it).
    stored: whether the store has it now. age: seconds since it was computed. timings: seconds by stage. source: where
    it was found, `model` where it was not.
    """

    model: ServedModel
    prediction: Prediction
    outcome: Outcome
    stored: bool
    age: float
    timings: Mapping[str, float]
    source: Source = "model"


class Predictor:
    """Answers from the cache where it can and from the model where it must.

    An outage of the store shows only in Answer.stored: the breaker in the backend counts and logs it. Failures are
    never stored.
    """

    def __init__(
        self,
        predictions: Predictions,
        memory: Memory,
        metrics: Metrics,
        usage: UsageMeter,
        *,
        flight_timeout: float,
        result_ttl: timedelta | None = None,
        store_abstracts: bool = False,
    ) -> None:
        """`flight_timeout`: seconds that a call waits for another one's run of the model for the same text."""
        self._predictions = predictions
        self._memory = memory
        self._metrics = metrics
        self._usage = usage
        self._flights: SingleFlight[Answer] = SingleFlight()
        self._flight_timeout = flight_timeout
        self._result_ttl = result_ttl
        self._store_abstracts = store_abstracts

    def predict(
        self,
        model: ServedModel,
        abstracts: Sequence[Abstract | Exception],
        directives: Directives = NO_DIRECTIVES,
        payer: Payer | None = None,
        *,
        strict: bool = False,
    ) -> list[Answer | Exception]:
        """For each abstract, in order, its answer or the error it met; what is an error already stays what it is.

        Errors are those of the package model, LimitExceeded and `not-stored`. The store is asked once for all. An
        abstract that is in there twice is worked out once, and the second is `collapsed`. `payer` is charged before
        each run of the model; when it may not pay, or the model is overloaded, nothing more is run: the rest has that
        error too. `strict`: what has warnings is an error.
        """
        started = time.perf_counter()
        keys = [item if isinstance(item, Exception) else model.key(item.text) for item in abstracts]
        asked = {key: item for key, item in zip(keys, abstracts, strict=True) if isinstance(key, str)}
        kept, fetched = ({}, {}) if directives.no_cache else self._look_up(model, list(asked))
        timings = {"store": time.perf_counter() - started}
        answers: dict[str, Answer | Exception] = {
            **_hits(model, kept, directives, timings, "memory"),
            **_hits(model, fetched, directives, timings, "store"),
        }
        refused: Exception | None = None
        for key, abstract in asked.items():
            if key not in answers and isinstance(abstract, Abstract):
                answers[key] = refused or self._compute_or_error(model, key, abstract, directives, payer)
                refused = refused or _refusal(answers[key])
        ordered = [_strict(answer) if strict else answer for answer in _in_order(keys, answers)]
        for item in ordered:
            if isinstance(item, Answer):
                self.count(item, None if payer is None else payer.key)
        return ordered

    def predict_one(
        self,
        model: ServedModel,
        abstract: Abstract,
        directives: Directives = NO_DIRECTIVES,
        payer: Payer | None = None,
        *,
        strict: bool = False,
    ) -> Answer:
        """The answer for one abstract. Raises what `predict` would give in its place."""
        (answer,) = self.predict(model, [abstract], directives, payer, strict=strict)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recall(self, model: ServedModel, key: str) -> Answer | None:
        """The answer kept in memory, or None. It is not counted: give it to `count` when it is sent."""
        started = time.perf_counter()
        prediction = self._memory.get(key)
        if prediction is None:
            return None
        return _hit(model, prediction, NO_DIRECTIVES, {"store": time.perf_counter() - started}, "memory")

    def fetch(self, model: ServedModel, key: str) -> Answer | None:
        """The answer in the store, or None, also while that is out. It is not counted, either."""
        started = time.perf_counter()
        prediction = self._from_store(model, [key]).get(key)
        if prediction is None:
            return None
        return _hit(model, prediction, NO_DIRECTIVES, {"store": time.perf_counter() - started}, "store")

    def count(self, answer: Answer, key: ApiKey | None) -> None:
        """Counts an answer for the metrics, and as usage of the key that asked."""
        self._metrics.answer(answer.model.name, answer.outcome, answer.source, answer.timings)
        if key is not None:
            self._usage.answer(key.id, hit=answer.outcome != "miss", model_seconds=answer.timings.get("model", 0.0))

    def find(self, id: str, models: Mapping[str, ServedModel]) -> Answer | None:
        """The stored prediction with this id by any of `models` (by name), or None. Raises Unavailable."""
        prediction = self._memory.get(id)
        if prediction is None:
            prediction = self._predictions.find(id, {name: len(model.labels) for name, model in models.items()})
        if prediction is None or prediction.model not in models:
            return None
        model = models[prediction.model]
        if prediction.digest != model.digest:
            return None
        self._memory.put(prediction)
        return _hit(model, prediction, NO_DIRECTIVES, {}, "store")

    def _look_up(self, model: ServedModel, keys: list[str]) -> tuple[dict[str, Prediction], dict[str, Prediction]]:
        """What memory has, and of the rest what the store has; an outage of the store is a miss."""
        found = {key: prediction for key in keys if (prediction := self._memory.get(key)) is not None}
        absent = [key for key in keys if key not in found]
        return found, self._from_store(model, absent) if absent else {}

    def _from_store(self, model: ServedModel, keys: list[str]) -> dict[str, Prediction]:
        """What the store has; nothing while it is out. Memory keeps it."""
        labels = len(model.labels)
        try:
            if len(keys) > 1:
                found = self._predictions.get_many(keys, model.name, labels)
            else:
                one = self._predictions.get(keys[0], model.name, labels)
                found = {} if one is None else {one.id: one}
        except StorageError:
            return {}
        for prediction in found.values():
            self._memory.put(prediction)
        return found

    def _compute_or_error(
        self, model: ServedModel, key: str, abstract: Abstract, directives: Directives, payer: Payer | None
    ) -> Answer | Exception:
        if directives.only_if_cached:
            return ServiceError(
                "not-stored", "This abstract has no stored prediction. Send it without only-if-cached to compute one."
            )
        try:
            return self._compute(model, key, abstract, directives, payer)
        except (ModelError, ServiceError) as error:
            if isinstance(error, Overloaded):
                self._metrics.refused("queue")
            return error

    def _compute(
        self, model: ServedModel, key: str, abstract: Abstract, directives: Directives, payer: Payer | None
    ) -> Answer:
        def work() -> Answer:
            # Another flight may have landed between this call's look-up and its turn.
            kept = None if directives.no_cache else self._memory.get(key)
            if kept is not None and (answer := _hit(model, kept, directives, {}, "memory")):
                return answer
            if payer is not None:
                payer.charge()
            return self._run(model, key, abstract, store=not directives.no_store)

        if directives.no_cache or directives.no_store:
            return work()
        try:
            answer, collapsed = self._flights.run(key, work, self._flight_timeout)
        except TimeoutError as error:
            raise Overloaded(str(error), retry_after=1) from error
        return answer._replace(outcome="collapsed") if collapsed else answer

    def _run(self, model: ServedModel, key: str, abstract: Abstract, *, store: bool) -> Answer:
        result = model.classifier.classify(abstract.text)
        now = datetime.now(UTC)
        prediction = Prediction(
            id=key,
            model=model.name,
            digest=model.digest,
            scores=tuple(float(f"{score:.7g}") for score in result.scores),  # what float32 can carry
            created_at=now,
            expires_at=None if self._result_ttl is None else now + self._result_ttl,
            abstract=abstract.raw if self._store_abstracts else None,
            tokens=result.tokens,
            tokens_read=result.tokens_read,
            warnings=tuple(warning.code for warning in find_warnings(abstract.text)),
        )
        timings = {"queue": result.queue_seconds, "model": result.model_seconds}
        if not store:
            return Answer(model, prediction, "miss", False, 0.0, timings)
        started = time.perf_counter()
        stored = self._store(prediction)
        self._memory.put(prediction)
        timings = {"store": time.perf_counter() - started, **timings}
        return Answer(model, prediction, "miss", stored, 0.0, timings)

    def _store(self, prediction: Prediction) -> bool:
        try:
            self._predictions.put(prediction)
        except StorageError:
            return False
        return True


def _hits(
    model: ServedModel,
    found: Mapping[str, Prediction],
    directives: Directives,
    timings: Mapping[str, float],
    source: Source,
) -> dict[str, Answer]:
    """The answers from stored predictions, without those that are older than the client takes."""
    hits = {key: _hit(model, prediction, directives, timings, source) for key, prediction in found.items()}
    return {key: answer for key, answer in hits.items() if answer is not None}


def _hit(
    model: ServedModel, prediction: Prediction, directives: Directives, timings: Mapping[str, float], source: Source
) -> Answer | None:
    """The answer from a stored prediction; None if it is older than the client takes."""
    age = max(0.0, time.time() - prediction.created_at.timestamp())
    if directives.max_age is not None and age > directives.max_age:
        return None
    return Answer(model, prediction, "hit", True, age, timings, source)


def _in_order(
    keys: Iterable[str | Exception], answers: Mapping[str, Answer | Exception]
) -> Iterator[Answer | Exception]:
    seen = set()
    for key in keys:
        if isinstance(key, Exception):
            yield key
            continue
        answer = answers[key]
        if key in seen and isinstance(answer, Answer) and answer.outcome == "miss":
            answer = answer._replace(outcome="collapsed")
        yield answer
        seen.add(key)


def _strict(answer: Answer | Exception) -> Answer | Exception:
    """An error in place of an answer with warnings."""
    if not isinstance(answer, Answer) or not answer.prediction.warnings:
        return answer
    warnings = told(answer.prediction.warnings)
    details = " ".join(warning["detail"] for warning in warnings)
    return ServiceError("doubtful-abstract", details, members={"warnings": warnings})


def told(codes: Iterable[str]) -> list[dict[str, str]]:
    """Warnings as clients get them."""
    return [{"code": code, "detail": DETAILS.get(code, code)} for code in codes]


def _refusal(answer: Answer | Exception) -> Exception | None:
    return answer if isinstance(answer, LimitExceeded | Overloaded) else None
