"""What a stored answer costs: its rate against a bare Flask route on the same server, as a ratio.

    python -m bench.hit_path [--seconds 3] [--rounds 7] [--connections 8] [--model NAME]

Both routes live in one Granian process, so that neither gets the luckier server; rounds alternate. The load comes from
another process over keep-alive connections on loopback. The server's processor time for each answer is compared too.
Before all that, the same without the network, through the WSGI callable.
"""

import argparse
import http.client
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from flask import Flask

from config import load_settings
from service.app import Application, create_app
from service.logs import AccessLog

ABSTRACT = (
    "We report a measurement of the top quark mass in proton-proton collisions at a centre-of-mass energy of 13 TeV. "
    "The data correspond to an integrated luminosity of 36 inverse femtobarns. Events with one isolated lepton and at "
    "least four jets are selected, and the mass is extracted by a profile likelihood fit to several observables. "
) * 4
BODY = json.dumps({"abstract": ABSTRACT.strip()}).encode()
CPU = "/cpu"
"""Answers with the processor seconds that the server has used, which depend less on what else the machine does."""
MANY = "1000000000 per minute"


def main() -> None:
    """Prints one line a measurement."""
    options = _options()
    if options.serve:
        serve(options.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= _environment(folder)
        _print_in_process(options.model)
        _print_over_network(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rate of stored answers against a bare Flask route.")
    parser.add_argument("--seconds", type=float, default=3, help="length of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--model", default="arxiv-mini")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    return parser.parse_args()


def _environment(folder: str) -> dict[str, str]:
    limits = {f"ABSTRACTS_LIMIT_{name}": MANY for name in ("IP", "KEY", "INFERENCE")}
    return {**limits, "ABSTRACTS_DATA_DIR": folder}


def bare_app() -> Flask:
    """The least that a Flask route can do."""
    app = Flask("bare", static_folder=None)

    @app.post("/bare")
    def bare() -> dict[str, bool]:
        return {"ok": True}

    return app


def both_apps(_: str = "") -> Callable[..., Iterable[bytes]]:
    """One WSGI callable with the service and the bare route."""
    bare, service = bare_app(), create_app()
    service.build()

    def dispatch(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CPU:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(time.process_time()).encode()]
        app = bare if environ["PATH_INFO"] == "/bare" else service
        return app(environ, start_response)

    return dispatch


def serve(port: int) -> None:
    """Runs the server of both until it is ended."""
    from granian import Granian
    from granian.constants import Interfaces

    threads = load_settings().server_threads
    server = Granian("both", port=port, interface=Interfaces.WSGI, blocking_threads=threads, log_enabled=False)
    server.serve(target_loader=both_apps)


def _print_in_process(model: str) -> None:
    service = create_app()
    service.services.access_log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    key, path = _key(service), f"/api/models/{model}/predict"
    _call(service, path, key)
    samples: dict[str, list[float]] = {"bare": [], "hit": []}
    for _ in range(7):
        samples["bare"].append(_time(bare_app(), "/bare", key))
        samples["hit"].append(_time(service, path, key))
    bare, hit = (statistics.median(samples[name]) * 1e6 for name in ("bare", "hit"))
    print(f"in process    bare {bare:6.0f} µs   hit {hit:6.0f} µs   ratio {bare / hit:.2f}")
    service.services.close()


def _key(service: Application) -> str:
    return service.services.keys.create("bench", ["predict"])[1]


def _time(app: Flask, path: str, key: str, calls: int = 500) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        _call(app, path, key)
    return (time.perf_counter() - started) / calls


def _call(app: Flask, path: str, key: str) -> None:
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
    answer = app(environ, lambda status, _headers, _info=None: statuses.append(status))  # type: ignore[arg-type]
    b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    if not statuses[0].startswith("200"):
        raise SystemExit(f"{path} answered {statuses[0]}")


def _print_over_network(options: argparse.Namespace) -> None:
    service = create_app()
    key = _key(service)
    service.services.close()
    port = _free_port()
    command = [sys.executable, "-m", "bench.hit_path", "--serve", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            _wait(port)
            _compare(options, port, key)
        finally:
            server.terminate()


def _compare(options: argparse.Namespace, port: int, key: str) -> None:
    requests = {"bare": _request("/bare", key), "hit": _request(f"/api/models/{options.model}/predict", key)}
    for request in requests.values():
        load(port, request, 1, options.connections)
    rounds = [
        {name: load(port, request, options.seconds, options.connections) for name, request in requests.items()}
        for _ in range(options.rounds)
    ]
    for what, unit, inverse in (("rate", "/s", False), ("processor", "µs", True)):
        bare, hit = ([each[name][inverse] for each in rounds] for name in ("bare", "hit"))
        ratios = [b / h if inverse else h / b for b, h in zip(bare, hit, strict=True)]
        print(
            f"{what:13} bare {statistics.median(bare):6.0f} {unit}   hit {statistics.median(hit):6.0f} {unit}   "
            f"ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})"
        )


def _request(path: str, key: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    return head.encode() + BODY


def load(port: int, request: bytes, seconds: float, connections: int) -> tuple[float, float]:
    """Answers per second and processor microseconds for each; on every connection one request is always under way."""
    before = _processor_seconds(port)
    sockets = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(connections)]
    answered, started = 0, time.perf_counter()
    for each in sockets:
        each.sendall(request)
    while time.perf_counter() - started < seconds:
        for each in sockets:
            _receive(each)
            each.sendall(request)
            answered += 1
    rate = answered / (time.perf_counter() - started)
    for each in sockets:
        _receive(each)
        each.close()
    return rate, (_processor_seconds(port) - before) / (answered + connections) * 1e6


def _processor_seconds(port: int) -> float:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", CPU)
        return float(connection.getresponse().read())


def _receive(connection: socket.socket) -> None:
    data = connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the server answered {data[:300]!r}")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/livez")
            except OSError:
                time.sleep(0.05)
            else:
                connection.getresponse().read()
                return
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
