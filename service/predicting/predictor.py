"""The one use case: abstracts become answers, from memory, the store or the model, each miss worked out once.

No HTTP in here: the API, jobs and commands all come through `predict`.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from model.classifier import Classification
from model.errors import ModelError, Overloaded
from model.text.warnings import find_warnings
from service.access.ratelimits import Payer
from service.errors import ServiceError
from service.predicting.abstracts import Abstract
from service.predicting.answers import NO_DIRECTIVES, Answer, Directives, hit, hits, in_order, refusal, strictly
from service.predicting.memory import Memory
from service.predicting.models import ServedModel
from service.predicting.singleflight import SingleFlight
from service.telemetry.metrics import Metrics
from service.telemetry.usage import UsageMeter
from storage.deadline import within
from storage.errors import StorageError
from storage.records.apikeys import ApiKey
from storage.records.predictions import Prediction, Predictions

Others = Sequence[ServedModel | Exception]
"""Further models to ask about an abstract; an error for one that cannot be asked."""
Runs = dict[str, list[Classification]]
"""What models have made, in a call, of each text."""
_NOT_ASKED: Final = ServiceError("not-stored", "This model was not asked about this abstract.")


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
        also: Sequence[Others] = (),
    ) -> list[Answer | Exception]:
        """For each abstract, in order, its answer or the error it met; what is an error already stays what it is.

        Errors are those of the package model, LimitExceeded and `not-stored`. The store is asked once for all. An
        abstract that is in there twice is worked out once, and the second is `collapsed`. `payer` is charged before
        each run of the model; when it may not pay, or the model is overloaded, nothing more is run: the rest has that
        error too. `strict`: what has warnings is an error.

        `also`: for each abstract, further models, whose answers, or errors, the answer then has. Models that share an
        encoder run it once for a text, which is then paid for once.
        """
        runs: Runs = {}
        with within(None if payer is None else payer.budget):
            answers = self._answers(model, abstracts, directives, payer, runs)
            if strict:
                answers = [strictly(answer) for answer in answers]
            if any(also):
                answers = self._with_others(answers, abstracts, also, directives, payer, runs)
        for answer in answers:
            for part in answer.parts() if isinstance(answer, Answer) else ():
                self.count(part, None if payer is None else payer.key)
        return answers

    def _answers(
        self,
        model: ServedModel,
        abstracts: Sequence[Abstract | Exception],
        directives: Directives,
        payer: Payer | None,
        runs: Runs,
    ) -> list[Answer | Exception]:
        """Those of one model; `runs` are read and added to."""
        started = time.perf_counter()
        keys = [item if isinstance(item, Exception) else model.key(item.text) for item in abstracts]
        asked = {key: item for key, item in zip(keys, abstracts, strict=True) if isinstance(key, str)}
        kept, fetched = ({}, {}) if directives.no_cache else self._look_up(model, list(asked), payer)
        timings = {"store": time.perf_counter() - started}
        answers: dict[str, Answer | Exception] = {
            **hits(model, kept, directives, timings, "memory"),
            **hits(model, fetched, directives, timings, "store"),
        }
        refused: Exception | None = None
        for key, abstract in asked.items():
            if key not in answers and isinstance(abstract, Abstract):
                made = runs.setdefault(abstract.text, [])
                answers[key] = refused or self._compute_or_error(model, key, abstract, directives, payer, made)
                refused = refused or refusal(answers[key])
        return list(in_order(keys, answers))

    def _with_others(
        self,
        answers: Sequence[Answer | Exception],
        abstracts: Sequence[Abstract | Exception],
        also: Sequence[Others],
        directives: Directives,
        payer: Payer | None,
        runs: Runs,
    ) -> list[Answer | Exception]:
        """The answers with those of further models, each of which is asked once about all that it is asked about."""
        theirs: dict[ServedModel, list[Answer | Exception]] = {}
        for other in [model for models in also for model in models]:
            if isinstance(other, ServedModel) and other not in theirs:
                asked = [
                    abstract if isinstance(answer, Answer) and other in models else _NOT_ASKED
                    for answer, abstract, models in zip(answers, abstracts, also, strict=True)
                ]
                theirs[other] = self._answers(other, asked, directives, payer, runs)
        found: list[Answer | Exception] = []
        for i, (answer, models) in enumerate(zip(answers, also, strict=True)):
            others = (theirs[other][i] if isinstance(other, ServedModel) else other for other in models)
            found.append(answer._replace(also=tuple(others)) if isinstance(answer, Answer) else answer)
        return found

    def predict_one(
        self,
        model: ServedModel,
        abstract: Abstract,
        directives: Directives = NO_DIRECTIVES,
        payer: Payer | None = None,
        *,
        strict: bool = False,
        also: Others = (),
    ) -> Answer:
        """The answer for one abstract. Raises what `predict` would give in its place."""
        (answer,) = self.predict(model, [abstract], directives, payer, strict=strict, also=[also])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recall(self, model: ServedModel, key: str) -> Answer | None:
        """The answer kept in memory, or None. It is not counted: give it to `count` when it is sent."""
        started = time.perf_counter()
        prediction = self._memory.get(key)
        if prediction is None:
            return None
        return hit(model, prediction, NO_DIRECTIVES, {"store": time.perf_counter() - started}, "memory")

    def fetch(self, model: ServedModel, key: str) -> Answer | None:
        """The answer in the store, or None, also while that is out. It is not counted, either."""
        started = time.perf_counter()
        prediction = self._from_store(model, [key]).get(key)
        if prediction is None:
            return None
        return hit(model, prediction, NO_DIRECTIVES, {"store": time.perf_counter() - started}, "store")

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
        return hit(model, prediction, NO_DIRECTIVES, {}, "store")

    def _look_up(
        self, model: ServedModel, keys: list[str], payer: Payer | None
    ) -> tuple[dict[str, Prediction], dict[str, Prediction]]:
        """What memory has, and of the rest what the store has; an outage of the store is a miss."""
        found = {key: prediction for key in keys if (prediction := self._memory.get(key)) is not None}
        absent = "" if payer is None else payer.absent
        missing = [key for key in keys if key not in found and key != absent]
        return found, self._from_store(model, missing) if missing else {}

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
        self,
        model: ServedModel,
        key: str,
        abstract: Abstract,
        directives: Directives,
        payer: Payer | None,
        runs: list[Classification],
    ) -> Answer | Exception:
        if directives.only_if_cached:
            return ServiceError(
                "not-stored", "This abstract has no stored prediction. Send it without only-if-cached to compute one."
            )
        try:
            answer = self._compute(model, key, abstract, directives, payer, runs)
        except (ModelError, ServiceError) as error:
            if isinstance(error, Overloaded):
                self._metrics.refused("queue")
            return error
        if answer.run is not None:
            runs.append(answer.run)
        return answer

    def _compute(
        self,
        model: ServedModel,
        key: str,
        abstract: Abstract,
        directives: Directives,
        payer: Payer | None,
        runs: Sequence[Classification],
    ) -> Answer:
        def work() -> Answer:
            # Another flight may have landed between this call's look-up and its turn.
            kept = None if directives.no_cache else self._memory.get(key)
            if kept is not None and (answer := hit(model, kept, directives, {}, "memory")):
                return answer
            derived = next(filter(None, map(model.classifier.derive, runs)), None)
            if derived is None and payer is not None:
                payer.charge()
            result = derived or model.classifier.classify(abstract.text)
            timings = {} if derived else {"queue": result.queue_seconds, "model": result.model_seconds}
            return self._keep(model, key, abstract, result, timings, store=not directives.no_store)

        if directives.no_cache or directives.no_store:
            return work()
        try:
            answer, collapsed = self._flights.run(key, work, self._flight_timeout)
        except TimeoutError as error:
            raise Overloaded(str(error), retry_after=1) from error
        return answer._replace(outcome="collapsed") if collapsed else answer

    def _keep(
        self,
        model: ServedModel,
        key: str,
        abstract: Abstract,
        result: Classification,
        timings: Mapping[str, float],
        *,
        store: bool,
    ) -> Answer:
        """The answer from what a model made of a text, and with `store` its prediction stored."""
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
        if not store:
            return Answer(model, prediction, "miss", False, 0.0, timings, run=result)
        started = time.perf_counter()
        stored = self._store(prediction)
        self._memory.put(prediction)
        timings = {"store": time.perf_counter() - started, **timings}
        return Answer(model, prediction, "miss", stored, 0.0, timings, run=result)

    def _store(self, prediction: Prediction) -> bool:
        try:
            self._predictions.put(prediction)
        except StorageError:
            return False
        return True
