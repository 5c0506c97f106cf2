"""What moves from one store to another: API keys, and predictions within reach, one JSON object a line.

    {"key": {"id": "…", "name": "…", …}}
    {"prediction": {"id": "…", "model": "…", "scores": […], …}}

Jobs, limits and usage stay behind: they belong to servers that run.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from storage.base import Entry
from storage.errors import Corrupt
from storage.records import apikeys, predictions
from storage.records.apikeys import ApiKey, Keys
from storage.records.documents import decode, encode
from storage.records.keyformat import is_id
from storage.records.predictions import Prediction, Predictions, is_prediction_id

Record = ApiKey | Prediction

_HASH: Final = re.compile(r"[0-9a-f]{64}")


def export(keys: Keys, stored: Predictions, lost: Callable[[str], None]) -> Iterator[Record]:
    """Every key, then every prediction within reach. What is written meanwhile may or may not be among them.

    What cannot be read is left out, and `lost` is told of it in words.
    """
    yield from keys.list(lost)
    yield from stored.scan(lost)


def to_line(record: Record) -> bytes:
    """The record as one line."""
    if isinstance(record, ApiKey):
        return encode({"key": {"id": record.id, **apikeys.to_document(record)}}) + b"\n"
    return encode({"prediction": {"id": record.id, **predictions.to_document(record)}}) + b"\n"


def from_line(line: bytes) -> Record:
    """The record that to_line wrote; Corrupt if it is something else."""
    document = decode(Entry(line, 1))
    kind, content = document.popitem() if len(document) == 1 else ("", None)
    if not isinstance(content, dict) or not isinstance(id := content.pop("id", None), str):
        raise Corrupt("neither a key nor a prediction")
    if kind == "key" and is_id(id):
        return _checked(apikeys.from_document(id, content))
    if kind == "prediction" and is_prediction_id(id):
        return predictions.from_document(id, content)
    raise Corrupt("neither a key nor a prediction")


def bring_in(record: Record, keys: Keys, stored: Predictions) -> bool:
    """Store the record; safe to repeat. False for a key that is there already, which stays as it is."""
    if isinstance(record, ApiKey):
        return keys.restore(record)
    stored.put(record)
    return True


def _checked(key: ApiKey) -> ApiKey:
    try:
        apikeys.check(key)
    except ValueError as exc:
        raise Corrupt(f"the key cannot be used: {exc}") from exc
    if not _HASH.fullmatch(key.secret_hash) or not _HASH.fullmatch(key.previous_hash or key.secret_hash):
        raise Corrupt("the key has no hash")
    if not isinstance(key.limit, str | None) or not isinstance(key.limit_inference, str | None):
        raise Corrupt("a limit of the key is not a text")
    return key
