"""The production server with this application.

It is ours, on asyncio and httptools (llhttp, the parser of Node.js), because of the servers that could be had none
keeps stalled clients from doing harm by itself. Granian's WSGI holds a thread for whoever sends or reads nothing; its
RSGI takes an answer that nobody reads into memory without bound, and neither that nor its ASGI lets an application
end a connection that has stalled. uvicorn has no deadline for headers and no bound on connections; waitress is slow.

`python -m bench.hit_path` compares it with Granian for a bare Flask route, and stored answers with that route on both.
A lane may return what looks for the answer, for a thread to run, where the look-up waits for another machine.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from typing import Final

from config import Settings
from service.alive import host_here
from service.front.running import announced
from service.front.supervisor import Supervisor
from service.front.worker import Served, Worker
from service.telemetry import logs, shared

log = logging.getLogger("abstracts.server")

BACKLOG: Final = 1024
"""Connections that may wait to be accepted."""
SEND_BUFFER: Final = 128 << 10
"""Bytes of an answer that the system holds for a client that does not read (Linux doubles it, and would go to 4 MB)."""


def run(settings: Settings, load: Callable[[], Served], greet: Callable[[], None] = lambda: None) -> None:
    """Serves until SIGTERM or SIGINT what `load` gives in each worker, after the fork.

    `greet` is called first, once the address is taken. At SIGHUP, workers start anew, each before the one it replaces
    stops: they read the models that are there by then, and go on with the counts of those before. Raises
    OSError if the address cannot be listened on, NotServing if a worker cannot start, or there is no folder for
    temporary files.
    """
    with listening(settings.host, settings.port) as listener:
        greet()
        logs.configure(settings.log_level)

        def work(alive: int, ready: Connection, seat: int) -> None:
            shared.take_seat(seat)
            asyncio.run(_serve(listener, alive, load, lambda: ready.send(True)))

        def announce() -> None:
            log.info("Listening on %s", base_url(settings))

        with announced(settings), shared.shared_folder():
            Supervisor(work, settings.workers, announce, shared.leave_seat).run()


def base_url(settings: Settings) -> str:
    """Where clients on this machine find the server."""
    host = host_here(settings)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that accepts connections. OSError in plain words if there can be none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise OSError(f"cannot listen on {host}:{port}: {exc.strerror}") from exc
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # of what it accepts, too
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as exc:
            raise OSError(f"cannot listen on {host}:{port}: {exc.strerror}") from exc
        listener.setblocking(False)
        yield listener


async def _serve(listener: socket.socket, alive: int, load: Callable[[], Served], ready: Callable[[], None]) -> None:
    """One worker: until the last answer after it was told to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(alive, stop.set)  # readable when the supervisor has died, and only then
    with closing(load()) as served:
        worker = Worker(served, listener)
        ready()
        await worker.serve(stop)
