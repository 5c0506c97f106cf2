"""Answers as they go over the wire."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from service.problems import CONTENT_TYPE, describe

Headers = Sequence[tuple[str, str]]

_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


@dataclass(slots=True)
class Reply:
    """A whole answer. Content-Length and Date are added; no value may hold a line break."""

    status: int
    headers: Headers
    body: bytes


Later = Callable[[], Reply | None]
"""What finds an answer and may have to wait for a store; it runs in a thread."""


def head_of(status: int, headers: Headers, length: int | None, date: str, *, old: bool, close: bool) -> bytes:
    """Status line and headers. `length` None: chunked. `old`: to an HTTP/1.0 client."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    line = _LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    if length is None:
        framing = "" if old else "Transfer-Encoding: chunked\r\n"
    else:
        framing = "" if status in _WITHOUT_BODY else f"Content-Length: {length}\r\n"
    lasting = "Connection: close\r\n" if close else "Connection: keep-alive\r\n" if old else ""
    return f"{line}{text}{framing}{lasting}Date: {date}\r\n\r\n".encode("latin-1")


class Framing:
    """How the end of a body is told: by its `length`, by chunks, or else by the end of the connection."""

    def __init__(self, length: int | None, *, chunked: bool) -> None:
        self._left = length
        self._chunked = chunked and length is None

    def frame(self, data: bytes) -> bytes:
        """A part of the body as it goes over the wire; more than was announced is left out."""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    def end(self) -> bytes | None:
        """What comes after the last part; None if the body is shorter than announced."""
        if self._left:
            return None
        return b"0\r\n\r\n" if self._chunked else b""


def problem(error: Exception, root: str = "", more: Headers = ()) -> Reply:
    """What a client is told where the application does not answer. `root` is what addresses begin with."""
    about = describe(error)
    headers = [("Content-Type", CONTENT_TYPE), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
    return Reply(about.status.value, [*headers, *about.headers.items(), *more], json.dumps(about.body(root)).encode())
