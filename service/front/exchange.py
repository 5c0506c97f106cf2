"""One request on its way through the application, and its answer on its way to the client.

The application runs in a thread of the pool, and only when there is something for it to do: at first with the complete
request, then for each further piece of a long answer once the client has read the last one.
"""

import logging
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Final

from service.errors import ServiceError
from service.front.answering import Framing, Headers, Later, Reply, head_of
from service.front.held import Held
from service.front.parsing import Request
from service.front.wsgi import PIECE, Piece, Run

if TYPE_CHECKING:
    from service.front.connection import Connection
    from service.front.worker import Worker

log = logging.getLogger("abstracts.front")

RETRY_SECONDS: Final = 0.1
"""After which a thread for the next piece of an answer is looked for again."""
_WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_OURS: Final = ("content-length", "date", "connection")


class Exchange:
    """What a connection is busy with. On the event loop, but for `_work`."""

    def __init__(self, worker: "Worker", connection: "Connection", request: Request) -> None:
        self._worker, self._connection, self._request = worker, connection, request
        self._run = Run(worker.application, request, worker.place, worker.room)
        self._pool = worker.pool_for(request)
        self._framing: Framing | None = None  # once the head is written
        self._held: Held | None = None  # a large piece,
        self._reader: IO[bytes] | None = None  # and what is not written yet of it
        self._close = self._last = False
        self.in_thread = False
        """Whether the application is at it."""

    def ask_lane(self, later: Later) -> None:
        """Has the lane look where it takes longer; if it finds nothing, or all its threads are taken, `start`."""

        def ask() -> None:
            reply = None if self._connection.closed else self._worker.ask_lane(later)
            self._worker.on_loop(lambda: self._asked(reply))

        self.in_thread = self._worker.lane_pool.submit(ask)
        if not self.in_thread:
            self.start()

    def _asked(self, reply: Reply | None) -> None:
        self.in_thread = False
        if self._connection.closed:
            self.abandon()
        elif reply is None:
            self.start()
        else:
            self._write(reply.status, reply.headers, len(reply.body), reply.body)
            self._finish()

    def start(self) -> None:
        """Has the application answer. If too many wait for a thread, the client is told so."""
        if not self._submit():
            self._worker.count("busy")
            self._refuse(ServiceError("busy", "all threads are taken"))

    def _submit(self) -> bool:
        self.in_thread = self._pool.submit(self._work)
        return self.in_thread

    def _work(self) -> None:
        """Asks nothing of the application for a client that has gone."""
        piece = Piece(last=True) if self._connection.closed else self._run.step()
        self._worker.on_loop(lambda: self._worked(piece))

    def _worked(self, piece: Piece) -> None:
        self.in_thread = False
        if self._connection.closed:
            self._held = piece.held
            self.abandon()
        elif piece.failed is None:
            self._take(piece)
        elif self._framing is None:
            self._refuse(piece.failed)
        else:
            self._worker.count("broken-off")
            log.error("an answer broke off", exc_info=piece.failed)
            self._connection.abort()

    def _refuse(self, error: Exception) -> None:
        reply = self._worker.refuse(error, self._request)
        self._write(reply.status, reply.headers, len(reply.body), reply.body)
        self._finish()

    def _take(self, piece: Piece) -> None:
        self._last = piece.last
        if self._framing is None:
            headers = [each for each in self._run.headers if each[0].lower() not in _OURS]
            length = piece.size if self._run.length is None and piece.last else self._run.length
            self._write(self._run.status, headers, length, piece.data)
        elif piece.data:
            self._connection.write(self._framing.frame(piece.data))
        if piece.held is not None:
            self._held, self._reader = piece.held, piece.held.open()
        self.go_on()

    def _write(self, status: int, headers: Headers, length: int | None, data: bytes) -> None:
        """The head, and the beginning of the body."""
        old = self._request.version == "1.0"
        self._close = self._connection.closes_after(self._request) or (length is None and old)
        head = head_of(status, headers, length, self._worker.date, old=old, close=self._close)
        empty = self._request.method == "HEAD" or status in _WITHOUT_BODY
        self._framing = Framing(0 if empty else length, chunked=not old)
        self._connection.write(head + self._framing.frame(data))

    def go_on(self) -> None:
        """Writes, as far as the client reads, what there is; then has the application make more."""
        assert self._framing is not None  # noqa: S101
        while self._reader is not None and self._connection.writable:
            data = self._reader.read(PIECE)
            if data:
                self._connection.write(self._framing.frame(data))
            else:
                self._let_go()
        if self._reader is not None or self.in_thread or self._connection.closed:
            return
        if self._last:
            self._end(self._framing)
        elif self._connection.writable and not self._submit():
            self._worker.loop.call_later(RETRY_SECONDS, self.go_on)

    def _end(self, framing: Framing) -> None:
        end = framing.end()
        if end is None:
            self._connection.abort()
            return
        if end:
            self._connection.write(end)
        self._finish()

    def _finish(self) -> None:
        self._request.body.close()
        self._connection.finished(close=self._close)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
        self._held = self._reader = None

    def abandon(self) -> None:
        """The client has gone. What the application has opened is closed in a thread, and later if it is in use."""
        if not self.in_thread:
            self._let_go()
            self._request.body.close()
            self.in_thread = self._pool.submit(self._run.close)
            if not self.in_thread:
                self._worker.loop.call_later(RETRY_SECONDS, self.abandon)
