"""A worker in a thread of this process, and clients that behave as they like."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from service.front import worker
from service.front.answering import problem
from service.front.server import listening
from service.front.worker import Lane, Refuse, Worker

Application = Callable[..., Iterable[bytes]]
SMALL = 64 << 10


class Served:
    """A worker that serves on `port`."""

    def __init__(self, port: int, worker: Worker, ended: Counter[str]) -> None:
        self.port, self.worker, self.ended = port, worker, ended

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 30)

    def exchange(self, sent: bytes) -> bytes:
        """All that comes back until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(sent)
            return read_all(connection)


@contextmanager
def served(
    application: Application,
    *,
    lane: Lane | None = None,
    limit_of: Callable[[str, str], int] = lambda _method, _path: SMALL,
    threads: int = 4,
    refuse: Refuse = lambda error, _: problem(error),
) -> Iterator[Served]:
    """Serves the application; afterwards the worker has stopped."""
    ended: Counter[str] = Counter()
    loop = asyncio.new_event_loop()
    what = worker.Served(application, limit_of, threads, lane, refuse, count=lambda reason: ended.update((reason,)))
    started: list[Worker] = []
    ready = threading.Event()
    stop: list[asyncio.Event] = []
    with listening("127.0.0.1", 0) as listener:

        async def main() -> None:
            started.append(Worker(what, listener))
            stop.append(asyncio.Event())
            ready.set()
            await started[0].serve(stop[0])

        thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
        thread.start()
        assert ready.wait(30)
        try:
            yield Served(listener.getsockname()[1], started[0], ended)
        finally:
            loop.call_soon_threadsafe(stop[0].set)
            thread.join(30)
            assert not thread.is_alive()
            loop.close()


def read_all(connection: socket.socket) -> bytes:
    found = bytearray()
    while data := connection.recv(1 << 16):
        found += data
    return bytes(found)


def get(path: str = "/", *more: str) -> bytes:
    """A GET after which the connection ends."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *more, "", ""]).encode()


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers with the body that was sent."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
    return [body]
