"""Clients that send nothing, or read nothing, by the hundred: everybody else is served as if they were not there."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.front import connection, worker
from service.front.held import Room
from tests.service.front.serving import Served, echo, get, read_all, served
from tests.service.waiting import until

LARGE = b"x" * (8 << 20)
SOON = 5.0
"""Seconds within which a request must be answered here, where it takes milliseconds; a stall would take 30."""


def large(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """8 MB, in one piece, in many, or in a small answer to the rest."""
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/whole":
        return [LARGE[: 2 << 20]]
    if environ["PATH_INFO"] == "/pieces":
        return (LARGE[:1000] for _ in range(8000))
    return [environ["wsgi.input"].read()[:10]]


@contextmanager
def clients(here: Served, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Connections on which something was sent, and nothing is read."""
    with ExitStack() as stack:
        made = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", here.port))
            client.sendall(sent)
            made.append(client)
        until(lambda: len(here.worker.connections) >= number)
        yield made


def seconds(here: Served, path: str) -> float:
    started = time.monotonic()
    assert here.exchange(get(path)).startswith(b"HTTP/1.1 200")
    return time.monotonic() - started


def resident() -> int:
    """Bytes of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


BODY = b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"
STALLS = {
    "200 bodies": (200, BODY),
    "200 heads": (200, b"GET / HTTP/1.1\r\nHost: x\r\nA"),
    "500 idle connections": (500, b""),
    "200 readers of a whole answer": (200, get("/whole")),
    "200 readers of an answer in pieces": (200, get("/pieces")),
    "200 pipelines": (200, get("/pieces").replace(b"close", b"x") * 50),
}


@pytest.mark.parametrize("stall", STALLS)
def test_nobody_is_held_up(stall: str) -> None:
    number, sent = STALLS[stall]
    with served(large, threads=2) as here:
        seconds(here, "/small")
        before = resident()
        with clients(here, number, sent):
            assert seconds(here, "/livez") < SOON
            seconds(here, "/small")  # after what the application has to do for the others
            for path in ("/small", "/livez", "/metrics"):
                assert seconds(here, path) < SOON
            assert resident() - before < 300 << 20  # 200 answers would be 400 or 1600


def test_forty_large_bodies_at_once_leave_threads_to_others() -> None:
    entered, go = threading.Semaphore(0), threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            entered.release()
            assert go.wait(30)
        return echo(environ, start_response)

    with served(application, threads=4, limit_of=lambda *_: 20 << 20) as here, ExitStack() as stack:
        head = f"POST /pdf HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {2 << 20}\r\n\r\n".encode()
        uploads = [stack.enter_context(here.connect()) for _ in range(40)]
        for upload in uploads:
            upload.sendall(head + b"x" * (2 << 20))
        for _ in range(worker.LARGE_THREADS):
            assert entered.acquire(timeout=30)
        assert seconds(here, "/small") < SOON
        assert not entered.acquire(blocking=False)
        go.set()
        assert [len(read_all(upload)) >> 20 for upload in uploads] == [2] * 40


def test_probes_have_threads_of_their_own() -> None:
    go = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in worker.PROBES[:1] + worker.PROBES[2:]:
            assert go.wait(30)
        return echo(environ, start_response)

    with served(application, threads=2) as here, clients(here, 20, get("/busy")), clients(here, 20, get("/readyz")):
        assert seconds(here, "/livez") < SOON
        assert seconds(here, "/metrics") < SOON
        go.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(worker, "TICK_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stall", ["200 bodies", "200 heads"])
def test_a_request_that_does_not_come_is_given_up(stall: str) -> None:
    with served(large) as here, clients(here, 20, STALLS[stall][1]) as stalled:
        assert all(read_all(client).startswith(b"HTTP/1.1 408 ") for client in stalled)
        assert here.ended["too-slow"] == 20
        until(lambda: here.worker.room.memory == Room().memory)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", ["/whole", "/pieces"])
def test_an_answer_that_is_not_read_is_given_up(path: str) -> None:
    with served(large) as here, clients(here, 20, get(path)) as stalled:
        until(lambda: not here.worker.connections)
        assert here.ended["stalled-reader"] == 20
        until(lambda: here.worker.room.disk == Room().disk)
        with pytest.raises(ConnectionResetError):
            read_all(stalled[0])  # what was sent is not taken for the whole


@pytest.mark.usefixtures("impatient")
def test_a_trickle_is_no_progress_and_a_slow_client_is_served() -> None:
    pause = threading.Event()
    with served(echo) as here, here.connect() as trickle, here.connect() as slow:
        trickle.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(15):
            slow.sendall(b"x" * 4000)
            if not here.ended:
                trickle.sendall(b"x")
            pause.wait(0.1)  # the client's own pace
        assert read_all(slow).startswith(b"HTTP/1.1 200")
        assert here.ended["too-slow"] == 1


@pytest.mark.usefixtures("impatient")
def test_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.5)
    with served(echo) as here, here.connect() as idle:
        assert read_all(idle) == b""


def test_too_many_connections_cost_those_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_CONNECTIONS", 80)
    with served(large) as here, clients(here, 70, b""), clients(here, 10, BODY) as half:
        until(lambda: sum(not each.idle for each in tuple(here.worker.connections)) == len(half))
        assert seconds(here, "/small") < SOON
        assert here.ended["too-many-connections"] == worker.EVICTED
        for client in half:
            client.sendall(b"x" * 99)
            assert client.recv(12) == b"HTTP/1.1 200"


def test_what_finds_no_room_is_refused() -> None:
    with served(large, limit_of=lambda *_: 8 << 20) as here:
        here.worker.room.memory = here.worker.room.disk = 100_000
        sent = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
        assert here.exchange(sent).startswith(b"HTTP/1.1 503 ")
        assert here.exchange(get("/whole")).startswith(b"HTTP/1.1 503 ")
        assert seconds(here, "/small") < SOON


@pytest.mark.parametrize("stall", STALLS)
def test_it_stops_within_seconds(stall: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STOP_SECONDS", 0.2)
    number, sent = STALLS[stall]
    with ExitStack() as stack:
        with served(large) as here:
            stack.enter_context(clients(here, min(number, 50), sent))
            stopped = time.monotonic()
        assert time.monotonic() - stopped < SOON


def test_what_is_under_way_when_it_stops_is_answered() -> None:
    entered, go = threading.Event(), threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        entered.set()
        assert go.wait(30)
        return echo(environ, start_response)

    answers: list[bytes] = []
    ask: Callable[[], None] = lambda: answers.append(here.exchange(get().replace(b"close", b"keep-alive")))  # noqa: E731
    with served(application) as here:
        asking = threading.Thread(target=ask)
        asking.start()
        assert entered.wait(30)
        threading.Timer(0.2, go.set).start()
    asking.join(30)
    assert answers[0].startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answers[0]
