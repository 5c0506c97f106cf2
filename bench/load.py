"""What the benchmarks ask of a server, and how: in process through WSGI, or over keep-alive connections on loopback."""

import http.client
import io
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

WSGI = Callable[..., Iterable[bytes]]

ABSTRACT = (
    "We report a measurement of the top quark mass in proton-proton collisions at a centre-of-mass energy of 13 TeV. "
    "The data correspond to an integrated luminosity of 36 inverse femtobarns. Events with one isolated lepton and at "
    "least four jets are selected, and the mass is extracted by a profile likelihood fit to several observables. "
) * 4
BODY = json.dumps({"abstract": ABSTRACT.strip()}).encode()
MANY = "1000000000 per minute"


def variables(folder: str) -> dict[str, str]:
    """Settings of a service whose data lie in `folder`, and whose limits nobody reaches."""
    limits = {f"ABSTRACTS_LIMIT_{name}": MANY for name in ("IP", "KEY", "INFERENCE")}
    return {**limits, "ABSTRACTS_DATA_DIR": folder}


def seconds_per_call(app: WSGI, path: str, key: str, calls: int = 500) -> float:
    """The mean, in process."""
    started = time.perf_counter()
    for _ in range(calls):
        call(app, path, key)
    return (time.perf_counter() - started) / calls


def call(app: WSGI, path: str, key: str) -> None:
    """One request in process; ends the program if it is not answered with 200."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(BODY)),
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(BODY),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []
    answer: Any = app(environ, lambda status, _headers, _info=None: statuses.append(status))
    b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    if not statuses[0].startswith("200"):
        raise SystemExit(f"{path} answered {statuses[0]}")


def request(path: str, key: str, body: bytes = BODY) -> bytes:
    """A POST of `body` as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, asked: Iterator[bytes], connections: int, seconds: float) -> float:
    """Answers per second; on every connection one request is always under way. Ends with `asked`, if that is sooner."""
    sockets = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(connections)]
    answered, started = 0, time.perf_counter()
    for each in sockets:
        each.sendall(next(asked))
    for each, data in zip(itertools.cycle(sockets), asked, strict=False):
        if time.perf_counter() - started >= seconds:
            break
        _receive(each)
        each.sendall(data)
        answered += 1
    rate = answered / (time.perf_counter() - started)
    for each in sockets:
        _receive(each)
        each.close()
    return rate


def processor_seconds(group: int) -> float:
    """What all processes of a group have used."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _receive(connection: socket.socket) -> None:
    data = connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the server answered {data[:300]!r}")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    left = length - len(body)
    while left > 0:
        left -= len(connection.recv(65536))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait(port: int, path: str = "/livez", seconds: float = 60) -> None:
    """Returns when the server answers; ends the program when it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", path)
            except OSError:
                time.sleep(0.01)
            else:
                connection.getresponse().read()
                return
    raise SystemExit("the server did not start")
