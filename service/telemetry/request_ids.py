"""Each request has an id: the client's own, its trace's, or one made here. It is in its answer and its log lines."""

import logging
import os
import re
from contextvars import ContextVar
from typing import Final, NamedTuple

HEADER: Final = "X-Request-ID"

_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~:@/+=-]{0,127}")
"""What a URN (RFC 8141) and a line of a log take as it is."""
_TRACEPARENT: Final = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,200})?"
)
"""Version 00 ends after the flags; later ones may go on (https://www.w3.org/TR/trace-context/#traceparent-header)."""
_SECRET: Final = "abs_"  # noqa: S105  (how API keys begin)

_noted: Final[ContextVar[str]] = ContextVar("request", default="")


class RequestId(NamedTuple):
    """id: what names the request. trace: the trace that it belongs to, where it says so and has an id beside it."""

    id: str
    trace: str = ""


def identify(given: str | None, traceparent: str | None) -> RequestId:
    """The id of a request with these headers: X-Request-ID, else the trace of traceparent (W3C), else a new one.

    A header that is too long or holds what is not for an id, least of all an API key, counts as absent.
    """
    if given is None and traceparent is None:
        return RequestId(new_id())
    found = _TRACEPARENT.fullmatch(traceparent or "")
    trace = found[1] if found else ""
    if given is not None and _ID.fullmatch(given) and _SECRET not in given.lower():
        return RequestId(given, trace)
    return RequestId(trace or new_id())


def new_id() -> str:
    """An id that no other request has: 32 hex digits."""
    return os.urandom(16).hex()


def note(id: str) -> None:
    """Log lines of this thread are of that request from now on; with an empty id, of none."""
    _noted.set(id)


def noted() -> str:
    """The request that this thread is at; empty where it is at none."""
    return _noted.get()


def urn(id: str) -> str:
    """The URI that stands for the request in a problem (RFC 9457, section 3.1.5)."""
    return f"urn:request:{id}"


class WithRequest(logging.Filter):
    """Lets formats name the request that a record is of: `%(request)s` is empty, or like ` (request 4bf9…)`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Adds it, and lets every record through."""
        id = noted()
        record.request = f" (request {id})" if id else ""
        return True
