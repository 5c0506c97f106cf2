"""Stored predictions. They are immutable (same id, same scores), so writing one twice does no harm."""

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from storage.base import Backend, Entry
from storage.errors import Corrupt, Incomplete
from storage.records.documents import Document, decode, encode, to_moment, to_moment_or_none, to_text
from storage.records.generations import Generations

logger = logging.getLogger(__name__)

NAMESPACE: Final = "results"
_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model said about one text.

    id: SHA-256 in hex, the cache key. digest: of the artifact. scores: one a label, raw, in the artifact's order.
    The moments have a time zone; expires_at None means never. abstract: the text, only if it is to be kept.
    """

    id: str
    model: str
    digest: str
    scores: tuple[float, ...]
    created_at: datetime
    expires_at: datetime | None
    abstract: str | None


class Predictions:
    """Predictions over a backend. Anything may raise Unavailable.

    An entry that cannot be read, or has not the asked number of finite scores, is a miss and is logged; the next put
    overwrites it. A purge by another process is seen after `generation_ttl` at the latest.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        generation_ttl: timedelta = timedelta(seconds=5),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._backend = backend
        self._now = now
        self._generations = Generations(backend, NAMESPACE, generation_ttl)

    def get(self, id: str, model: str, labels: int) -> Prediction | None:
        """The prediction of `model` with so many labels; None on a miss."""
        if not _ID.fullmatch(id):
            return None
        entry = self._fetch_one(self._key(model, id))
        return None if entry is None else _read(id, model, labels, entry)

    def get_many(self, ids: Iterable[str], model: str, labels: int) -> dict[str, Prediction]:
        """The stored ones among `ids`, by id, in one round trip.

        Where a part of the store does not answer, those that the rest has.
        """
        keys = {self._key(model, id): id for id in ids if _ID.fullmatch(id)}
        found = self._fetch(list(keys))
        read = (_read(keys[key], model, labels, entry) for key, entry in found.items())
        return {prediction.id: prediction for prediction in read if prediction is not None}

    def find(self, id: str, models: Mapping[str, int]) -> Prediction | None:
        """The prediction with this id by any of `models` (name: number of labels), in one round trip; None if none."""
        if not _ID.fullmatch(id):
            return None
        keys = {self._key(model, id): model for model in models}
        for key, entry in self._fetch(list(keys)).items():
            prediction = _read(id, keys[key], models[keys[key]], entry)
            if prediction is not None:
                return prediction
        return None

    def put(self, prediction: Prediction) -> None:
        """Store until expires_at; nothing happens if that is past. ValueError unless every score is finite."""
        if not prediction.scores or not all(math.isfinite(score) for score in prediction.scores):
            raise ValueError(f"scores must be finite and at least one: {prediction.scores}")
        if not _ID.fullmatch(prediction.id):
            raise ValueError(f"an id is 64 hexadecimal digits: {prediction.id!r}")
        ttl = None if prediction.expires_at is None else prediction.expires_at - self._now()
        if ttl is None or ttl > timedelta(0):
            self._backend.put(
                NAMESPACE, self._key(prediction.model, prediction.id), encode(to_document(prediction)), ttl
            )

    def delete(self, id: str, models: Iterable[str]) -> bool:
        """Remove what any of `models` said under this id; False if there was nothing."""
        if not _ID.fullmatch(id):
            return False
        removed = [self._backend.remove(NAMESPACE, self._key(model, id)) for model in models]
        return any(removed)

    def purge(self, model: str) -> int:
        """Forget all predictions of a model, in constant time; returns the model's new generation.

        What is forgotten still takes up room until it expires or sweep() removes it.
        """
        return self._generations.bump(model)

    def sweep(self) -> int:
        """Remove what purges have made unreachable; how many entries that was."""
        generations = self._generations.refresh()
        dead = (key for key, _ in self._backend.scan(NAMESPACE) if _is_dead(key, generations))
        return sum(self._backend.remove(NAMESPACE, key) for key in dead)

    def scan(self) -> Iterator[Prediction]:
        """Every prediction within reach, in no promised order; an unreadable one is left out and logged."""
        generations = self._generations.refresh()
        for key, entry in self._backend.scan(NAMESPACE):
            model, generation, id = _split(key)
            if generation == generations.get(model, 0):
                try:
                    yield from_document(id, decode(entry))
                except Corrupt as exc:
                    logger.warning("the stored prediction %s is left out: %s", key, exc)

    def census(self) -> tuple[dict[str, int], int]:
        """How many predictions within reach each model has, and how many a purge has put out of reach."""
        generations = self._generations.refresh()
        within: dict[str, int] = {}
        beyond = 0
        for key, _ in self._backend.scan(NAMESPACE):
            model, generation, _ = _split(key)
            if generation == generations.get(model, 0):
                within[model] = within.get(model, 0) + 1
            elif generation >= 0:
                beyond += 1
        return within, beyond

    def _key(self, model: str, id: str) -> str:
        return f"{model}/{self._generations.current(model)}/{id}"

    def _fetch(self, keys: list[str]) -> dict[str, Entry]:
        try:
            return self._backend.get_many(NAMESPACE, keys)
        except Incomplete as exc:
            found: dict[str, Entry] = exc.found
            return found
        except Corrupt as exc:
            logger.warning("a stored prediction cannot be read, trying one by one: %s", exc)
        return {key: entry for key in keys if (entry := self._fetch_one(key)) is not None}

    def _fetch_one(self, key: str) -> Entry | None:
        try:
            return self._backend.get(NAMESPACE, key)
        except Corrupt as exc:
            logger.warning("the stored prediction %s is a miss: %s", key, exc)
            return None


def is_prediction_id(text: str) -> bool:
    """Whether a text can be the id of a prediction."""
    return _ID.fullmatch(text) is not None


def _split(key: str) -> tuple[str, int, str]:
    """(model, generation, id) of a prediction's key; generation -1 for another document."""
    model, _, rest = key.rpartition("/")[0].rpartition("/")
    return model, int(rest) if rest.isdecimal() else -1, key.rpartition("/")[2]


def _is_dead(key: str, generations: Mapping[str, int]) -> bool:
    model, generation, _ = _split(key)
    return 0 <= generation < generations.get(model, 0)


def _read(id: str, model: str, labels: int, entry: Entry) -> Prediction | None:
    try:
        return _parse(id, model, labels, entry)
    except Corrupt as exc:
        logger.warning("the stored prediction %s of %s is a miss: %s", id, model, exc)
        return None


def _parse(id: str, model: str, labels: int, entry: Entry) -> Prediction:
    prediction = from_document(id, decode(entry))
    if prediction.model != model:
        raise Corrupt(f"it is a prediction of {prediction.model}")
    if len(prediction.scores) != labels:
        raise Corrupt(f"not the scores of {labels} labels")
    return prediction


def to_document(prediction: Prediction) -> Document:
    """What is stored; the id is in the entry's key."""
    document: Document = {
        "model": prediction.model,
        "digest": prediction.digest,
        "scores": prediction.scores,
        "created_at": to_text(prediction.created_at),
        "expires_at": to_text(prediction.expires_at),
    }
    if prediction.abstract is not None:
        document["abstract"] = prediction.abstract
    return document


def from_document(id: str, document: Document) -> Prediction:
    """What to_document stored; Corrupt if it is something else, or a score is not finite."""
    model, digest, abstract = document.get("model"), document.get("digest"), document.get("abstract")
    if not isinstance(model, str) or not isinstance(digest, str) or not isinstance(abstract, str | None):
        raise Corrupt("a field is missing or of the wrong kind")
    scores = document.get("scores")
    if not isinstance(scores, list) or not scores:
        raise Corrupt("there are no scores")
    if not all(type(score) in (float, int) and math.isfinite(score) for score in scores):
        raise Corrupt("a score is not a finite number")
    created_at = to_moment(document.get("created_at"))
    expires_at = to_moment_or_none(document.get("expires_at"))
    return Prediction(id, model, digest, tuple(map(float, scores)), created_at, expires_at, abstract)
