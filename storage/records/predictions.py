"""Stored predictions. They are immutable (same id, same scores), so writing one twice does no harm."""

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from storage.base import Backend, Entry
from storage.errors import Corrupt, Incomplete
from storage.records.documents import Document, Moment
from storage.records.generations import Generations

logger = logging.getLogger(__name__)

NAMESPACE: Final = "results"
_ID: Final = re.compile(r"[0-9a-f]{64}")


FLOAT32_MAX: Final = 3.4028234663852886e38


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What a model said about one text.

    id: SHA-256 in hex, the cache key. digest: of the artifact. scores: one a label, raw, in the artifact's order.
    The moments have a time zone; expires_at None means never. abstract: the text, only if it is to be kept.
    tokens: of the text, of which the model read `tokens_read`; None where that was not noted. warnings: codes of what
    tells that the scores mean little.
    """

    id: str
    model: str
    digest: str
    scores: tuple[float, ...]
    created_at: datetime
    expires_at: datetime | None
    abstract: str | None
    tokens: int | None = None
    tokens_read: int | None = None
    warnings: tuple[str, ...] = ()


Superfluous = Literal["purged", "older"]


@dataclass(slots=True)
class Census:
    """within: how many predictions each model has, of which `older` are by artifacts that are no longer there.

    purged: how many a purge has put out of reach, and no sweep has removed.
    """

    within: dict[str, int]
    older: int = 0
    purged: int = 0


class _Stored(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The form in which a prediction is stored, as JSON; its id is in the entry's key."""

    model: str
    digest: str
    scores: Annotated[
        tuple[Annotated[float, msgspec.Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)], ...], msgspec.Meta(min_length=1)
    ]
    created_at: Moment
    expires_at: Moment | None
    abstract: str | None = None
    tokens: int | None = None
    tokens_read: int | None = None
    warnings: tuple[str, ...] = ()


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Stored).decode


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
        """Store until expires_at; nothing happens if that is past. ValueError for a score that is no float32."""
        if not prediction.scores or not all(abs(score) <= FLOAT32_MAX for score in prediction.scores):
            raise ValueError(f"scores must be finite and at least one: {prediction.scores}")
        if not _ID.fullmatch(prediction.id):
            raise ValueError(f"an id is 64 hexadecimal digits: {prediction.id!r}")
        ttl = None if prediction.expires_at is None else prediction.expires_at - self._now()
        if ttl is None or ttl > timedelta(0):
            value = _encode(_to_stored(prediction))
            self._backend.put(NAMESPACE, self._key(prediction.model, prediction.id), value, ttl)

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

    def sweep(self, digests: Mapping[str, str] | None = None, *, older: bool = False) -> Iterator[Superfluous]:
        """Remove what purges have made unreachable; `purged` for each entry that was removed.

        Then `older` for each that stays and is by another artifact than `digests` has for its model; `older`: remove
        these as well. A model that is not in `digests` keeps all of its predictions.
        """
        generations = self._generations.refresh()
        for key, entry in self._backend.scan(NAMESPACE):
            why = _superfluous(key, entry, generations, digests or {})
            if why is not None and ((why == "older" and not older) or self._backend.remove(NAMESPACE, key)):
                yield why

    def scan(self, lost: Callable[[str], None] | None = None) -> Iterator[Prediction]:
        """Every prediction within reach, in no promised order; an unreadable one is left out and logged.

        With `lost`, which is told in words of what cannot be read, the rest of a damaged store is found, too.
        """
        generations = self._generations_or_tell(lost)
        for key, entry in self._backend.scan(NAMESPACE, lost=lost):
            model, generation, id = _split(key)
            if generation >= 0 and generation == generations.get(model, generation if lost else 0):
                try:
                    yield _parse(id, entry)
                except Corrupt as exc:
                    (lost or _log_lost)(f"the prediction {key} ({exc})")

    def census(self, digests: Mapping[str, str] | None = None) -> Census:
        """How many predictions there are. `digests`: of the models' present artifacts, as for sweep."""
        generations = self._generations.refresh()
        census = Census({})
        for key, entry in self._backend.scan(NAMESPACE):
            why = _superfluous(key, entry, generations, digests or {})
            model, generation, _ = _split(key)
            if why == "purged":
                census.purged += 1
            elif generation >= 0:
                census.within[model] = census.within.get(model, 0) + 1
                census.older += why == "older"
        return census

    def _generations_or_tell(self, lost: Callable[[str], None] | None) -> dict[str, int]:
        try:
            return self._generations.refresh()
        except Corrupt as exc:
            if lost is None:
                raise
            lost(f"which predictions have been purged ({exc}): all of them are taken")
            return {}

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


def _superfluous(
    key: str, entry: Entry, generations: Mapping[str, int], digests: Mapping[str, str]
) -> Superfluous | None:
    model, generation, id = _split(key)
    if 0 <= generation < generations.get(model, 0):
        return "purged"
    if generation < 0 or model not in digests:
        return None
    try:
        return None if _parse(id, entry).digest == digests[model] else "older"
    except Corrupt:
        return None


def _log_lost(what: str) -> None:
    logger.warning("left out, since it cannot be read: %s", what)


def _read(id: str, model: str, labels: int, entry: Entry) -> Prediction | None:
    try:
        prediction = _parse(id, entry)
    except Corrupt as exc:
        logger.warning("the stored prediction %s of %s is a miss: %s", id, model, exc)
        return None
    found = len(prediction.scores)
    if prediction.model != model or found != labels:
        logger.warning("the stored prediction %s of %s is a miss: %d scores of %s", id, model, found, prediction.model)
        return None
    return prediction


def _parse(id: str, entry: Entry) -> Prediction:
    try:
        stored = _decode(entry.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Corrupt(str(exc)) from exc
    return _from_stored(id, stored)


def to_document(prediction: Prediction) -> Document:
    """What is stored; the id is in the entry's key."""
    document: dict[str, Any] = msgspec.to_builtins(_to_stored(prediction))
    return document


def from_document(id: str, document: Document) -> Prediction:
    """What to_document gave; Corrupt if it is something else, or a score is not finite."""
    try:
        stored = msgspec.convert(document, _Stored)
    except msgspec.ValidationError as exc:
        raise Corrupt(str(exc)) from exc
    if not all(map(math.isfinite, stored.scores)):
        raise Corrupt("a score is not a finite number")
    return _from_stored(id, stored)


def _to_stored(of: Prediction) -> _Stored:
    about = of.model, of.digest, of.scores, of.created_at, of.expires_at, of.abstract
    return _Stored(*about, of.tokens, of.tokens_read, of.warnings)


def _from_stored(id: str, of: _Stored) -> Prediction:
    about = of.model, of.digest, of.scores, of.created_at, of.expires_at, of.abstract
    return Prediction(id, *about, of.tokens, of.tokens_read, of.warnings)
