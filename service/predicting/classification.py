"""An abstract becomes an answer: memory, then store, then model, each miss worked out once. No HTTP in here."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Literal, NamedTuple

from cachetools import TTLCache

from model.errors import ModelError, Overloaded
from model.text import normalise
from service.errors import InvalidRequest, LimitExceeded, NoSuchPrediction, NotStored, ServiceError
from service.predicting.models import Models, ServedModel
from service.predicting.rendering import Record, make_record
from service.predicting.singleflight import SingleFlight
from storage.errors import StorageError
from storage.records.predictions import Prediction, Predictions

_WORD = re.compile(r"[^\W\d_]{2}")
"""Two letters in a row, of any script: less is not text."""

REMEMBERED_TEXTS = 1024

Outcome = Literal["hit", "miss", "collapsed"]


@dataclass(frozen=True, slots=True)
class Directives:
    """What a client asks of the cache (RFC 9111, section 5.2.1)."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: float | None = None


NO_DIRECTIVES = Directives()


class Answer(NamedTuple):
    """A record and how it came about.

    outcome: `hit` (memory or store), `miss` (this call ran the model) or `collapsed` (another call ran it).
    stored: whether the store has it now. age: seconds since it was computed. timings: seconds by stage.
    """

    record: Record
    outcome: Outcome
    stored: bool
    age: float
    timings: dict[str, float]


class Classification:
    """Answers from the cache where it can and from the model where it must.

    An outage of the store shows only in Answer.stored: the guard around the backend counts and logs it. Failures are
    never stored. Entries are immutable, so what is in memory can only be purged, never wrong.
    """

    def __init__(
        self,
        results: Predictions,
        models: Models,
        *,
        l1_size: int,
        l1_ttl: float,
        flight_timeout: float,
        result_ttl: timedelta | None = None,
        store_abstracts: bool = False,
    ) -> None:
        self._results = results
        self._models = models
        self._result_ttl = result_ttl
        self._store_abstracts = store_abstracts
        self._flights: SingleFlight[Answer] = SingleFlight()
        self._flight_timeout = flight_timeout
        self._l1: TTLCache[str, Record] = TTLCache(l1_size, l1_ttl)
        self._l1_lock = Lock()
        # A text that was asked before need not be normalised and hashed again. Faults are not remembered.
        self._key_of = lru_cache(min(l1_size, REMEMBERED_TEXTS))(_key_of)

    def classify(
        self,
        model: ServedModel,
        abstract: str,
        *,
        directives: Directives = NO_DIRECTIVES,
        charge: Callable[[], None] = lambda: None,
    ) -> Answer:
        """The answer for an abstract that has passed the request's rules.

        `charge` is called before the model runs on behalf of this call, and may raise to forbid it.
        Raises InvalidRequest (no words), NotStored (only_if_cached), Overloaded, EngineError.
        """
        started = time.perf_counter()
        key = self._key_of(model, abstract)
        if not directives.no_cache and (record := self._look_up(model, key)) is not None:
            age = _age(record)
            if directives.max_age is None or age <= directives.max_age:
                return Answer(record, "hit", True, age, {"store": time.perf_counter() - started})
        if directives.only_if_cached:
            raise _not_stored()
        return self._compute(model, key, abstract, directives, charge)

    def classify_many(
        self,
        model: ServedModel,
        abstracts: Sequence[str],
        *,
        directives: Directives = NO_DIRECTIVES,
        charge: Callable[[], None] = lambda: None,
    ) -> list[Answer | Exception]:
        """For each abstract, in order, its answer or the error that `classify` would raise for it.

        The store is asked once for all of them. What is in there twice is worked out once, and the second is
        `collapsed`. When `charge` forbids a run of the model, or the model is overloaded, nothing more is run: the rest
        has that error too.
        """
        started = time.perf_counter()
        keys = [_key_or_error(self._key_of, model, abstract) for abstract in abstracts]
        texts = {key: text for key, text in zip(keys, abstracts, strict=True) if isinstance(key, str)}
        found = {} if directives.no_cache else self._look_up_many(model, texts)
        timings = {"store": time.perf_counter() - started}
        answers: dict[str, Answer | Exception] = {
            key: Answer(record, "hit", True, _age(record), timings)
            for key, record in found.items()
            if directives.max_age is None or _age(record) <= directives.max_age
        }
        refused: Exception | None = None
        for key, text in texts.items():
            if key not in answers:
                answers[key] = refused or self._compute_or_error(model, key, text, directives, charge)
                refused = refused or _refusal(answers[key])
        return list(_in_order(keys, answers))

    def find(self, id: str) -> Record:
        """The stored record with this id, of any model that is ready. Raises NoSuchPrediction, Unavailable."""
        if (record := self._from_memory(id)) is not None:
            return record
        ready = {model.name: model for model in self._models.ready()}
        found = self._results.find(id, {name: len(model.labels) for name, model in ready.items()})
        if found is None or found.digest != ready[found.model].digest:
            raise NoSuchPrediction("There is no stored prediction with this id. POST the abstract to compute it.")
        return self._remember(make_record(found, ready[found.model].labels, ready[found.model].threshold))

    def forget(self) -> None:
        """Empties the memory; what is stored stays. After a purge by this process."""
        with self._l1_lock:
            self._l1.clear()

    def _look_up(self, model: ServedModel, key: str) -> Record | None:
        record = self._from_memory(key)
        if record is not None:
            return record
        try:
            found = self._results.get(key, model.name, len(model.labels))
        except StorageError:
            return None
        return None if found is None else self._remember(make_record(found, model.labels, model.threshold))

    def _look_up_many(self, model: ServedModel, keys: Iterable[str]) -> dict[str, Record]:
        found = {key: record for key in keys if (record := self._from_memory(key)) is not None}
        absent = [key for key in keys if key not in found]
        if absent:
            try:
                stored = self._results.get_many(absent, model.name, len(model.labels))
            except StorageError:
                return found
            for key, prediction in stored.items():
                found[key] = self._remember(make_record(prediction, model.labels, model.threshold))
        return found

    def _compute_or_error(
        self, model: ServedModel, key: str, abstract: str, directives: Directives, charge: Callable[[], None]
    ) -> Answer | Exception:
        if directives.only_if_cached:
            return _not_stored()
        try:
            return self._compute(model, key, abstract, directives, charge)
        except (ModelError, ServiceError) as error:
            return error

    def _compute(
        self,
        model: ServedModel,
        key: str,
        abstract: str,
        directives: Directives,
        charge: Callable[[], None],
    ) -> Answer:
        def work() -> Answer:
            # Another flight may have landed between this call's look-up and its turn.
            if not directives.no_cache and (answer := self._fresh(key, directives)) is not None:
                return answer
            charge()
            return self._run(model, key, abstract, store=not directives.no_store)

        if directives.no_cache or directives.no_store:
            return work()
        try:
            answer, collapsed = self._flights.run(key, work, self._flight_timeout)
        except TimeoutError as error:
            raise Overloaded(str(error), retry_after=1) from error
        return answer._replace(outcome="collapsed") if collapsed else answer

    def _fresh(self, key: str, directives: Directives) -> Answer | None:
        record = self._from_memory(key)
        if record is None or (directives.max_age is not None and _age(record) > directives.max_age):
            return None
        return Answer(record, "hit", True, _age(record), {})

    def _run(self, model: ServedModel, key: str, abstract: str, *, store: bool) -> Answer:
        result = model.classifier.classify(normalise(abstract))
        now = datetime.now(UTC)
        prediction = Prediction(
            id=key,
            model=model.name,
            digest=model.digest,
            scores=result.scores,
            created_at=now,
            expires_at=None if self._result_ttl is None else now + self._result_ttl,
            abstract=abstract if self._store_abstracts else None,
        )
        record = make_record(prediction, model.labels, model.threshold)
        timings = {"queue": result.queue_seconds, "model": result.model_seconds}
        if not store:
            return Answer(record, "miss", False, 0.0, timings)
        started = time.perf_counter()
        stored = self._store(prediction)
        self._remember(record)
        return Answer(record, "miss", stored, 0.0, {"store": time.perf_counter() - started, **timings})

    def _store(self, prediction: Prediction) -> bool:
        try:
            self._results.put(prediction)
        except StorageError:
            return False
        return True

    def _from_memory(self, key: str) -> Record | None:
        with self._l1_lock:
            record = self._l1.get(key)
        if record is None or (record.expires_at is not None and record.expires_at <= datetime.now(UTC)):
            return None
        return record

    def _remember(self, record: Record) -> Record:
        if self._l1.maxsize >= 1:
            with self._l1_lock:
                self._l1[record.id] = record
        return record


def _key_of(model: ServedModel, abstract: str) -> str:
    text = normalise(abstract)
    if not _WORD.search(text):
        raise InvalidRequest({"abstract": ["There are no words in it. Send the abstract's text."]})
    return model.key(text)


def _key_or_error(key_of: Callable[[ServedModel, str], str], model: ServedModel, abstract: str) -> str | InvalidRequest:
    try:
        return key_of(model, abstract)
    except InvalidRequest as error:
        return error


def _in_order(
    keys: Iterable[str | InvalidRequest], answers: Mapping[str, Answer | Exception]
) -> Iterator[Answer | Exception]:
    seen = set()
    for key in keys:
        if isinstance(key, InvalidRequest):
            yield key
            continue
        answer = answers[key]
        if key in seen and isinstance(answer, Answer) and answer.outcome == "miss":
            answer = answer._replace(outcome="collapsed")
        yield answer
        seen.add(key)


def _refusal(answer: Answer | Exception) -> Exception | None:
    return answer if isinstance(answer, LimitExceeded | Overloaded) else None


def _not_stored() -> NotStored:
    return NotStored("This abstract has no stored prediction. Send it without only-if-cached to compute one.")


def _age(record: Record) -> float:
    return max(0.0, time.time() - record.created)
