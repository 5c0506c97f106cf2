"""A complete request -> the WSGI application (PEP 3333), piece by piece, in whatever thread has time."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from service.errors import ServiceError
from service.front.answering import Headers
from service.front.held import Held, Room
from service.front.parsing import Request

log = logging.getLogger("abstracts.front")

Application = Callable[..., Iterable[bytes]]

PIECE: Final = 64 << 10
"""Bytes of an answer that are written at once."""
GATHER: Final = 32 << 10
"""Bytes for which the parts of an answer are gathered before they are handed on."""
GATHER_SECONDS: Final = 0.05
"""How long they are gathered at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens, and how."""

    host: str
    port: str
    multiprocess: bool


def environ_of(request: Request, place: Place) -> dict[str, Any]:
    """What the application is told. Nothing but the request goes into it, least of all this process's environment."""
    environ: dict[str, Any] = {
        **request.environ,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": place.host,
        "SERVER_PORT": place.port,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": request.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": request.body.open(),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": place.multiprocess,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    # The body lies there whole, however it was sent.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    framed = environ.pop("HTTP_CONTENT_LENGTH", None) is not None
    if framed or request.length:
        environ["CONTENT_LENGTH"] = str(request.length)
    return environ


@dataclass(slots=True)
class Piece:
    """A part of an answer: at most PIECE bytes of `data`, or `held`. `failed`: why there is no more."""

    data: bytes = b""
    held: Held | None = None
    last: bool = False
    failed: Exception | None = None

    @property
    def size(self) -> int:
        return len(self.data) if self.held is None else self.held.size


class Run:
    """One request in the application. After the first `step`, `status` and `headers` are known, and `length` if said.

    Not for two threads at once.
    """

    def __init__(self, application: Application, request: Request, place: Place, room: Room) -> None:
        self._application, self._request, self._place, self._room = application, request, place, room
        self._body: Iterable[bytes] | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._made = 0
        self.status = 0
        self.headers: Headers = ()
        self.length: int | None = None

    def step(self) -> Piece:
        """The next part of the answer: what there is at once. Raises nothing."""
        try:
            if self._body is None:
                self._body = self._application(environ_of(self._request, self._place), self._start)
                self._pieces = iter(self._body)
                if isinstance(self._body, list | tuple) and self.length is None:
                    self.length = sum(len(part) for part in self._body)
            piece = self._gather()
        except Exception as error:  # noqa: BLE001  (whoever takes the piece tells the client, and the log)
            piece = Piece(last=True, failed=error)
        if piece.last:
            self.close()
        return piece

    def _start(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        if any("\n" in value or "\r" in value for _, value in headers):
            raise ValueError("a header holds a line break")
        self.status, self.headers = int(status[:3]), headers
        self.length = next((int(value) for name, value in headers if name.lower() == "content-length"), None)

    def _gather(self) -> Piece:
        parts: list[bytes] = []
        size, deadline = 0, time.monotonic() + GATHER_SECONDS
        for part in self._pieces:
            parts.append(part)
            size += len(part)
            self._made += len(part)
            if self._made == self.length:
                break  # without waiting for the end, so that what is held for the client is all that is held
            if size >= GATHER or time.monotonic() > deadline:
                return self._piece(b"".join(parts), last=False)
        return self._piece(b"".join(parts), last=True)

    def _piece(self, data: bytes, *, last: bool) -> Piece:
        """Raises ServiceError."""
        if len(data) <= PIECE:
            return Piece(data, last=last)
        held = Held(self._room)
        try:
            held.write(data)
        except ServiceError:
            held.close()
            raise
        return Piece(held=held, last=last)

    def close(self) -> None:
        """Ends it, also before the answer was whole."""
        body, self._body, self._pieces = self._body, (), iter(())
        close = getattr(body, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                log.exception("an answer could not be closed")
