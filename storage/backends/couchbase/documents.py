"""What is written to Couchbase for an entry or a counter, and how it is read again.

An entry is the JSON document `{"expires_at": UNIX SECONDS or null, "value": THE VALUE}`, so that it ends when its ttl
does, whatever the whole-second clock of the server makes of the document's own expiry.

A counter is a Couchbase counter, so that one atomic operation reads and changes it. Its number carries the expiry in
the upper bits and the count in the lower 32: created with the expiry in its initial value, incremented by the amount,
it needs no second document that could be lost, and no operation beyond get and increment.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from storage.base import check_ttl
from storage.errors import Corrupt

RESERVED: Final = "$"
"""First character of our own documents' keys; an entry whose key begins so is stored under a hash of it."""

COUNT_BITS: Final = 32
MAX_COUNT: Final = 2**31 - 1
"""Below the bits of the expiry with room to spare, so that an overflow is noticed before it does harm."""

COUNTER_EPOCH: Final = 1_577_836_800
"""2020-01-01, so that 31 bits of seconds last until 2088."""

LONGEST_EXPIRY: Final = 50 * 365 * 24 * 3600
"""Seconds; the server holds Unix time in 32 bits."""

_ENTRY: Final = re.compile(rb'\{"expires_at":(null|[0-9.e+]+),"value":')


@dataclass(frozen=True, slots=True)
class Content:
    """What a document holds: a value, or (value None) a count."""

    value: bytes | None
    count: int
    expires_at: float | None

    def over(self, now: float) -> bool:
        """Whether its time has passed, though the server still has it."""
        return self.expires_at is not None and self.expires_at <= now


def document_key(key: str) -> str:
    """The document's key: the entry's own, at most 246 bytes, unless it could be taken for one of ours."""
    if not key.startswith(RESERVED):
        return key
    return f"{RESERVED}{hashlib.sha256(key.encode()).hexdigest()}"


def expires_at(ttl: timedelta | None, now: float) -> float | None:
    """Unix seconds; ValueError unless the ttl is positive."""
    seconds = check_ttl(ttl)
    return None if seconds is None else now + seconds


def server_expiry(ttl: timedelta | None) -> timedelta | None:
    """The document's own expiry: a whole second more than the ttl rounded up.

    Less than a second would mean never, and a server counts from the second that has begun: with the ttl alone it
    would drop a document up to a second early.
    """
    if ttl is None:
        return None
    return timedelta(seconds=min(math.ceil(ttl.total_seconds()) + 1, LONGEST_EXPIRY))


def encode_entry(value: bytes, expires: float | None) -> bytes:
    """The document for a value, which is spliced in as it is."""
    return b'{"expires_at":%s,"value":%s}' % (b"null" if expires is None else repr(expires).encode(), value)


def encode_counter(count: int, expires: float | None) -> int:
    """The number of a counter; its expiry is rounded up to a second."""
    seconds = 0 if expires is None else max(math.ceil(expires) - COUNTER_EPOCH, 1)
    return seconds << COUNT_BITS | count


def decode_counter(number: int) -> Content:
    """The count and expiry in a counter's number; Corrupt when the count has run over."""
    count = number & (1 << COUNT_BITS) - 1
    if count > MAX_COUNT:
        raise Corrupt(f"a counter beyond {MAX_COUNT}")
    seconds = number >> COUNT_BITS
    return Content(None, count, float(seconds + COUNTER_EPOCH) if seconds else None)


def decode(document: bytes) -> Content:
    """A value or a count; Corrupt when the bytes are neither."""
    if document.isdigit():
        return decode_counter(int(document))
    match = _ENTRY.match(document)
    if match is None or not document.endswith(b"}"):
        raise Corrupt("a document of another form")
    try:
        expires = None if match[1] == b"null" else float(match[1])
    except ValueError as exc:
        raise Corrupt("an expiry that is no number") from exc
    return Content(document[match.end() : -1], 0, expires)
