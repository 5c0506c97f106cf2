"""Answers as they go over the wire."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from service.access.addresses import client_address
from service.access.cors import Cors
from service.access.prefix import forwarded_prefix
from service.front.parsing import Request
from service.problems import CONTENT_TYPE, describe
from service.telemetry.access_line import access_line
from service.telemetry.logs import AccessLog
from service.telemetry.request_ids import HEADER, identify, note

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


def problem(error: Exception, root: str = "", request_id: str = "", more: Headers = ()) -> Reply:
    """What a client is told where the application does not answer. `root` is what addresses begin with."""
    about = describe(error)
    headers = [("Content-Type", CONTENT_TYPE), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
    return Reply(
        about.status.value, [*headers, *about.headers.items(), *more], json.dumps(about.body(root, request_id)).encode()
    )


class Refusals:
    """What a client is told whom the application does not answer. Called with as much of the request as came in."""

    def __init__(self, cors: Cors, access_log: AccessLog | None, *, hops: int) -> None:
        """`hops`: the proxies in front, whose headers are believed."""
        self._cors = cors
        self._access_log = access_log
        self._hops = hops

    def __call__(self, error: Exception, request: Request) -> Reply:
        """The answer, logged."""
        headers = request.headers
        id = identify(headers.get("x-request-id"), headers.get("traceparent"))
        more = [(HEADER, id.id), *self._cors.headers(headers.get("origin"))]
        note(id.id)
        reply = problem(error, forwarded_prefix(headers.get("x-forwarded-prefix"), self._hops), id.id, more)
        note("")
        if self._access_log is not None:
            line = access_line(
                request=id,
                method=request.method,
                route="",
                path=request.path,
                status=reply.status,
                size=len(reply.body),
                seconds=0.0,
                address=client_address(request.client, headers.get("x-forwarded-for"), self._hops),
            )
            self._access_log.write(line)
        return reply
