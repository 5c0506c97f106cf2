"""JSON documents over a backend: encoding, decoding, and read-modify-write without locks."""

import json
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from storage.base import Backend, Entry
from storage.errors import Conflict, Corrupt

Document = dict[str, Any]

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A field of a record, as to_text writes it; msgspec refuses one without time zone."""

ATTEMPTS: Final = 100
"""Of a read-modify-write. Each failed one means that another writer got through, so few are ever needed."""


LONGEST_PAUSE: Final = 0.05
"""Seconds."""


def encode(document: Document) -> bytes:
    """The document as compact JSON; ValueError for NaN or infinity."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def decode(entry: Entry) -> Document:
    """The stored document; Corrupt if it is not a JSON object."""
    try:
        document = json.loads(entry.value)
    except (ValueError, RecursionError) as exc:
        raise Corrupt(f"not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise Corrupt("not a JSON object")
    return document


def update(
    backend: Backend,
    namespace: str,
    key: str,
    change: Callable[[Document | None], Document],
    ttl: timedelta | None = None,
) -> Document:
    """Store what `change` makes of the present document (None if absent), for `ttl` from now on, and return it.

    `change` may be called several times, since others write too; it raises to abandon the update. Conflict if the
    document never stood still.
    """
    for attempt in range(ATTEMPTS):
        entry = backend.get(namespace, key)
        document = change(None if entry is None else decode(entry))
        try:
            if entry is not None:
                backend.replace(namespace, key, encode(document), entry.version, ttl)
                return document
        except Conflict:
            pause(attempt)
            continue
        if backend.add(namespace, key, encode(document), ttl):
            return document
        pause(attempt)
    raise Conflict(f"{namespace}/{key} changed {ATTEMPTS} times in a row")


def pause(attempt: int) -> None:
    """Let other writers through after a Conflict: not at all at first, then for up to LONGEST_PAUSE, at random."""
    if attempt:
        time.sleep(random.uniform(0, min(0.001 * 2**attempt, LONGEST_PAUSE)))  # noqa: S311 (no secret)


def to_text(moment: datetime | None) -> str | None:
    """A moment in ISO 8601, to the microsecond."""
    return None if moment is None else moment.isoformat()


def to_moment(text: object) -> datetime:
    """The moment that to_text wrote; Corrupt if it is none or has no time zone."""
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError) as exc:
        raise Corrupt(f"not a moment: {text!r}") from exc
    if moment.tzinfo is None:
        raise Corrupt(f"a moment without time zone: {text!r}")
    return moment


def to_moment_or_none(text: object) -> datetime | None:
    """Like to_moment, with None for None."""
    return None if text is None else to_moment(text)
