"""One connection: its requests one after the other, none taken up before the answer to the last is on its way.

All of it runs on the event loop, and nothing here waits.
"""

import asyncio
import socket
import struct
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from service.errors import ServiceError
from service.front.answering import Later, Reply, head_of
from service.front.exchange import Exchange
from service.front.held import Held
from service.front.parsing import SMALL, Parser, Request
from service.front.wsgi import PIECE

if TYPE_CHECKING:
    from service.front.worker import Worker

STALL_SECONDS: Final = 30.0
"""The time for a request's head, and for each LEAST bytes of a body or an answer."""
LEAST: Final = 1 << 10
IDLE_SECONDS: Final = 75.0
"""How long a connection without a request stays: longer than load balancers keep one (60 s)."""
STOP_SECONDS: Final = 2.0
"""The same while the server stops: a client that sends its next request just then is still answered."""
LINGER_BYTES: Final = 64 << 20
"""So much that nobody wants is still read, so that its client comes to reading the answer."""
_RESET: Final = struct.pack("ii", 1, 0)
"""Linger, for no time: close(2) drops what is not sent, which the system would keep for a client that does not read."""


class Connection(asyncio.Protocol):
    """What there is for each accepted connection."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._exchange: Exchange | None = None
        self._waiting: deque[Request] = deque()
        self.writable = True
        self._over = False  # no further request is taken, what comes is dropped
        self._received = self._written = self._dropped = 0
        self._moved, self.since = 0, worker.now
        self.closed = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(PIECE)
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if isinstance(peer, tuple) else ""
        self._parser = Parser(self._client, self._worker.room, self._worker.limit_of, self._began, self._ended)
        self._worker.adopt(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.closed = True
        self._worker.connections.discard(self)
        self._parser.close()
        if self._exchange is not None:
            self._exchange.abandon()
        for request in self._waiting:
            request.body.close()
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._over:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.abort()
            return
        between = self._parser.request is None
        try:
            self._parser.feed(data)
        except ServiceError as error:
            self._refuse(error)
        if self._parser.request is not None and between:
            self.since = self._worker.now
        if self._waiting:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Whether to keep the other direction open: while something is still to be answered."""
        self._over = True
        return self._exchange is not None or bool(self._waiting)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self._exchange is not None:
            self._exchange.go_on()
        else:
            self._next()

    # What the parser calls.

    def _began(self, request: Request) -> None:
        if (
            request.headers.get("expect", "").lower() == "100-continue"
            and self._exchange is None
            and not request.too_large
        ):
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _ended(self, request: Request) -> None:
        self._over = self._over or request.too_large
        if self._exchange is None and self.writable and not self._waiting:
            self._answer(request)
        else:
            self._waiting.append(request)

    def _refuse(self, error: ServiceError) -> None:
        """Tells a client what is wrong with what it sent, unless answers to earlier requests are still due."""
        self._worker.count(error.slug)
        self._over = True
        if self._exchange is None and not self._waiting:
            self._reply(self._worker.refuse(error, self._begun()), close=True)
            self._linger()

    def _begun(self) -> Request:
        """As much as is there of the request that comes in."""
        return self._parser.request or Request(self._client, Held(self._worker.room))

    # One request, one answer.

    def _answer(self, request: Request) -> None:
        worker = self._worker
        found: Reply | Later | None = None
        if worker.lane is not None and request.length <= SMALL and not request.too_large:
            found = worker.ask_lane(partial(worker.lane, request))
        if isinstance(found, Reply):
            close = self.closes_after(request)
            self._reply(found, close=close, old=request.version == "1.0")
            request.body.close()
            self.since = worker.now
            if close:
                self._linger()
            return
        self._exchange = Exchange(worker, self, request)
        if found is None:
            self._exchange.start()
        else:
            self._exchange.ask_lane(found)

    def closes_after(self, request: Request) -> bool:
        """Whether this is the last request of the connection."""
        return not request.keep_alive or self._worker.stopping or (self._over and not self._waiting)

    def _reply(self, reply: Reply, *, close: bool, old: bool = False) -> None:
        head = head_of(reply.status, reply.headers, len(reply.body), self._worker.date, old=old, close=close)
        self.write(head + reply.body)

    def write(self, data: bytes) -> None:
        """Sends, now or later. While not `writable`, there is more than enough to send; `go_on` tells when it is."""
        self._written += len(data)
        self._transport.write(data)

    def finished(self, *, close: bool) -> None:
        """The exchange is over."""
        self._exchange = None
        self.since = self._worker.now
        if close:
            self._over = True
            self._linger()
        elif self._waiting and self.writable:
            self._worker.loop.call_soon(self._next)

    def _next(self) -> None:
        if self._waiting and self._exchange is None and not self.closed:
            self._answer(self._waiting.popleft())
            if not self._waiting and not self._over:
                self._transport.resume_reading()

    def abort(self) -> None:
        """Ends the connection at once, so that nobody takes for whole what was sent: by a reset, not by an end."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _linger(self) -> None:
        """Closes once the client has everything: a connection closed with something unread loses its answer."""
        self._over = True
        if self._parser.request is None or not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()
            self._transport.resume_reading()

    # What the worker calls, about once a second.

    def check(self, now: float) -> None:
        """Ends the connection if it has stalled."""
        exchange, request = self._exchange, self._parser.request
        moved = self._received + self._written - self._transport.get_write_buffer_size()
        going = moved - self._moved >= LEAST and not self._parser.in_head
        if going or (exchange is not None and exchange.in_thread):
            self._moved, self.since = moved, now
            return
        busy = exchange is not None or request is not None or self._over
        patience = STALL_SECONDS if busy else IDLE_SECONDS
        if now - self.since >= (min(patience, STOP_SECONDS) if self._worker.stopping else patience):
            self._expire(sending=exchange is not None or self._transport.get_write_buffer_size() > 0)

    def _expire(self, *, sending: bool) -> None:
        if sending or self._over:
            self._worker.count("stalled-reader" if sending else "stalled")
            self.abort()
        elif self._parser.request is not None:
            self._worker.count("too-slow")
            error = ServiceError("too-slow", "it stopped coming in")
            self._reply(self._worker.refuse(error, self._begun()), close=True)
            self._over = True
            self._transport.close()
        else:
            self._transport.close()

    @property
    def idle(self) -> bool:
        """Whether there is no request, not even the beginning of one."""
        return self._exchange is None and self._parser.request is None and not self._waiting
