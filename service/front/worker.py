"""A process that serves: its event loop, its threads, and all that connections share."""

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final, TypeVar

from service.front.answering import Later, Reply, problem
from service.front.connection import Connection
from service.front.held import Room
from service.front.parsing import LimitOf, Request
from service.front.pool import Pool
from service.front.wsgi import Application, Place

log = logging.getLogger("abstracts.front")

Lane = Callable[[Request], Reply | Later | None]
"""Answers a small request before the application is asked, on the event loop: at once, or by what it returns, in a
thread. None: it does not know. It must not wait. `request.body.content` is the body."""
Refuse = Callable[[Exception, Request], Reply]
"""What a client is told whom the application does not answer: (why, the request as far as it came)."""
Found = TypeVar("Found")

MAX_CONNECTIONS: Final = 8192
"""Of one process. One more, and those that have not moved for longest and do nothing are closed."""
EVICTED: Final = 64
WAITING: Final = 1024
"""Requests that may wait for a thread; one more is refused."""
LARGE: Final = 1 << 20
"""A body of more bytes is worked on by one of few threads, which bounds the memory that all such take."""
LARGE_THREADS: Final = 12
LANE_THREADS: Final = 8
PROBES: Final = ("/livez", "/readyz", "/metrics")
"""Each has a thread of its own, which nothing else can take."""
STOP_SECONDS: Final = 10.0
"""How long answers that are due may take when the server stops."""
TICK_SECONDS: Final = 1.0
RESERVED_FILES: Final = 256
"""Open files that are not connections: the store's, the log's, bodies', PDF workers' pipes."""


@dataclass(frozen=True)
class Served:
    """What a worker serves. `close` is called when it has ended."""

    application: Application
    limit_of: LimitOf
    threads: int
    lane: Lane | None = None
    refuse: Refuse = lambda error, _: problem(error)
    multiprocess: bool = False
    close: Callable[[], None] = lambda: None
    tick: Callable[[int], None] = lambda _connections: None
    """Called about once a second, on the event loop, with the number of connections."""
    count: Callable[[str], None] = lambda _reason: None
    """Told of what ends otherwise than by an answer of the application, and why."""


class Worker:
    """What all connections of a process share. All of it is for the event loop's thread, but for `on_loop`."""

    def __init__(self, served: Served, listener: socket.socket) -> None:
        self.application, self.lane, self.limit_of = served.application, served.lane, served.limit_of
        self.refuse = served.refuse
        host, port = listener.getsockname()[:2]
        self.place = Place(host, str(port), served.multiprocess)
        self._listener, self._served = listener, served
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.room = Room()
        self.stopping = False
        self._adopting: set[asyncio.Task[None]] = set()
        self._pool = Pool("request", served.threads, WAITING)
        self.lane_pool = Pool("lane", LANE_THREADS, WAITING)
        self._large = Pool("large", LARGE_THREADS, WAITING)
        self._probes = {path: Pool(path, 1, WAITING) for path in PROBES}
        self._most = _most_connections()
        self.tick()

    def tick(self) -> None:
        """The time as connections know it, and the end of those that stall."""
        self.now = time.monotonic()
        self.date = formatdate(usegmt=True)
        for connection in tuple(self.connections):
            connection.check(self.now)

    def ask_lane(self, find: Callable[[], Found]) -> Found | None:
        """What the lane finds. If it fails, the application answers."""
        try:
            return find()
        except Exception:
            self.count("lane-failed")
            log.exception("the lane failed; the application answers")
            return None

    def pool_for(self, request: Request) -> Pool:
        """The threads for this request."""
        if request.body.size > LARGE:
            return self._large
        return self._probes.get(request.path, self._pool)

    def count(self, reason: str) -> None:
        """Counts what went wrong, for /metrics."""
        self._served.count(reason)

    def on_loop(self, task: Callable[[], None]) -> None:
        """Runs the task on the event loop; from any thread."""
        with suppress(RuntimeError):  # the loop has ended, and with it whoever would want this
            self.loop.call_soon_threadsafe(task)

    def adopt(self, connection: Connection) -> None:
        """Takes a new connection in. If there are too many now, closes others that do nothing or have stalled."""
        self.connections.add(connection)
        if len(self.connections) <= self._most:
            return
        others = sorted(self.connections - {connection}, key=lambda each: (not each.idle, each.since))
        for other in others[:EVICTED]:
            self.count("too-many-connections")
            other.abort()

    async def serve(self, stop: asyncio.Event) -> None:
        """Accepts connections until `stop`; then ends them, at the latest after STOP_SECONDS."""
        self._listen()
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_SECONDS)
            self.tick()
            self._served.tick(len(self.connections))
        self.stopping = True
        self.loop.remove_reader(self._listener)
        deadline = time.monotonic() + STOP_SECONDS
        while self.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            self.tick()
        for connection in tuple(self.connections):
            connection.abort()
        for pool in (self._pool, self.lane_pool, self._large, *self._probes.values()):
            pool.close()

    def _listen(self) -> None:
        if not self.stopping:
            self.loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """One at a time, so that the processes that listen to the same socket share what comes."""
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was faster, or the client has gone
        except OSError as error:
            self.count("not-accepted")
            log.warning("connections cannot be accepted for the moment: %s", error)
            self.loop.remove_reader(self._listener)
            self.loop.call_later(TICK_SECONDS, self._listen)
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self.loop.create_task(self._adopt(accepted))
        self._adopting.add(task)  # the loop itself does not keep it
        task.add_done_callback(self._adopting.discard)

    async def _adopt(self, accepted: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: Connection(self), accepted)
        except OSError:
            accepted.close()


def _most_connections() -> int:
    """As many as this process may have open, once it has asked for all that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(MAX_CONNECTIONS, soft - RESERVED_FILES))
