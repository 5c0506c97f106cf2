"""HTTP/1.x from the wire -> requests, by llhttp, the parser of Node.js (httptools).

What two readers could understand differently is refused, never mended: RFC 9112, sections 2.2, 3.2, 6.1 and 6.3.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httptools

from service.errors import ServiceError
from service.front.held import Held, Room

MAX_HEAD: Final = 64 << 10
"""Bytes of a request line and headers."""
SMALL: Final = 64 << 10
"""Bytes of a body for which no route is asked whether it takes so many."""


@dataclass(slots=True, eq=False)
class Request:
    """A request. `path` is as it was sent, not decoded; header names are in lower case, values of one name joined.

    Headers with an underscore in the name are left out: WSGI could not tell them from those with a hyphen, and who
    filters the one spelling must not be walked around by the other. `body` is complete, unless `too_large` says that
    it is larger than the route takes: then it is empty, and `length` more than that.
    """

    client: str
    body: Held
    method: str = ""
    path: str = ""
    query: str = ""
    version: str = "1.1"
    headers: dict[str, str] = field(default_factory=dict)
    length: int = 0
    keep_alive: bool = True
    too_large: bool = False
    complete: bool = False
    environ: dict[str, object] = field(default_factory=dict)
    """What the application is told besides."""


LimitOf = Callable[[str, str], int]
"""(method, path) -> the most bytes of a body."""


class Parser:
    """One connection's requests. `began` is called with each when its head is known, `ended` when all of it is there.

    A body that is too large ends the request at once; the rest of it is dropped as it comes.
    """

    def __init__(
        self,
        client: str,
        room: Room,
        limit_of: LimitOf,
        began: Callable[[Request], None],
        ended: Callable[[Request], None],
    ) -> None:
        self._client, self._room, self._limit_of = client, room, limit_of
        self._began, self._ended = began, ended
        self._parser = httptools.HttpRequestParser(self)
        self._fault: ServiceError | None = None
        self._head = self._fed = 0
        self.in_head = True
        self._target = b""
        self._limit = SMALL
        self.request: Request | None = None
        """The one that is being read."""

    def feed(self, data: bytes) -> None:
        """Takes in what was received. Raises ServiceError, after which nothing more may be fed."""
        rest: bytes | None = data
        while rest is not None and self._fault is None:
            rest = self._feed(rest)
        if self.in_head and self.request is not None:
            self._fed += len(data)
        if self._fed > MAX_HEAD + len(data):
            self._fault = _too_large()
        if self._fault is not None:
            raise self._fault

    def _feed(self, data: bytes) -> bytes | None:
        """What is to be fed next, to a parser that was made anew."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_proposal(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            raise  # a fault of ours
        except httptools.HttpParserError as error:
            raise self._fault or _malformed(str(error)) from error
        return None

    def _without_proposal(self, rest: bytes) -> bytes | None:
        """Takes a request that proposes another protocol as if it did not, which a server may (RFC 9110, section 7.8).

        llhttp leaves its body alone. Java's HttpClient sends such requests to whatever it does not know yet.
        """
        request = self.request
        if self._fault is not None or request is None:
            return None
        request.body.close()
        method, headers = self._parser.get_method(), request.headers
        lines = [f"{name}: {value}" for name, value in headers.items() if name not in ("connection", "upgrade")]
        head = b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, self._target, "\r\n".join(lines).encode("latin-1"))
        self._parser = httptools.HttpRequestParser(self)
        return head + rest

    def close(self) -> None:
        """Lets go of a request that was not complete."""
        request, self.request = self.request, None
        if request is not None and not request.too_large:
            request.body.close()
        del self._parser  # which refers to this object

    # What llhttp finds. An exception would end up in httptools; faults are kept instead.

    def on_message_begin(self) -> None:
        self.request = Request(self._client, Held(self._room))
        self._head, self._fed, self.in_head, self._target, self._limit = 0, 0, True, b"", SMALL

    def on_url(self, piece: bytes) -> None:
        self._target += piece
        if len(self._target) > MAX_HEAD:
            self._fault = _too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self.request
        if request is None or not self.in_head:  # fields after a chunked body count for nothing
            return
        self._head += len(name) + len(value) + 4
        if self._head > MAX_HEAD:
            self._fault = _too_large()
            return
        if b"_" in name:
            return
        headers, key, text = request.headers, name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        if key not in headers:
            headers[key] = text
        elif key == "host":
            self._fault = _malformed("several Host headers")
        else:
            headers[key] += ("; " if key == "cookie" else ", ") + text

    def on_headers_complete(self) -> None:
        self.in_head = False
        request = self.request
        if request is None or self._parser.should_upgrade():
            if self._parser.get_method() == b"CONNECT":
                self._fault = _malformed("a tunnel is asked for")
            return
        request.method = self._parser.get_method().decode("ascii")
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        self._split_target(request)
        self._fault = self._fault or _fault_of(request)
        if self._fault is None:
            length = int(request.headers.get("content-length", "0"))
            if length > SMALL:
                self._limit = self._limit_of(request.method, request.path)
            if length > self._limit:
                self._overflow(request, length)
            self._began(request)

    def _split_target(self, request: Request) -> None:
        target = self._target
        if not target.startswith(b"/") and target != b"*":
            try:
                url = httptools.parse_url(target)
            except httptools.HttpParserInvalidURLError:
                self._fault = _malformed("the address")
                return
            target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
        path, _, query = target.partition(b"?")
        request.path, request.query = path.decode("latin-1"), query.decode("latin-1")

    def on_body(self, piece: bytes) -> None:
        request = self.request
        if request is None or request.too_large or self._fault is not None:
            return
        size = request.body.size + len(piece)
        if size > SMALL == self._limit:
            self._limit = self._limit_of(request.method, request.path)
        if size > self._limit:
            self._overflow(request, size)
            return
        try:
            request.body.write(piece)
        except ServiceError as error:
            self._fault = error

    def _overflow(self, request: Request, length: int) -> None:
        request.too_large, request.length = True, length
        request.body.close()
        request.body = Held(self._room)
        self._ended(request)

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            return
        request, self.request = self.request, None
        if request is None or self._fault is not None:
            return
        request.complete = True
        if not request.too_large:
            request.length = request.body.size
            self._ended(request)


def _fault_of(request: Request) -> ServiceError | None:
    headers = request.headers
    if request.version not in ("1.0", "1.1"):
        return _malformed("the version")
    if request.version == "1.1" and "host" not in headers:
        return _malformed("no Host header")
    coding = headers.get("transfer-encoding", "chunked").lower()
    if coding != "chunked" or ("transfer-encoding" in headers and request.version == "1.0"):
        return _malformed("the Transfer-Encoding")
    return None


def _malformed(why: str) -> ServiceError:
    return ServiceError("malformed-http", why)


def _too_large() -> ServiceError:
    return ServiceError("head-too-large", f"more than {MAX_HEAD} bytes")
