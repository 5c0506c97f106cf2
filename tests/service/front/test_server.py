"""A real server process over a SQLite file and the default model."""

import fcntl
import http.client
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from config import load_settings
from service.bootstrap import Services
from tests.processes import end, start
from tests.service.conftest import ABSTRACT
from tests.service.waiting import until

ROOT = Path(__file__).parents[3]
SERVE = """
from config import load_settings
from service.app import Application
from service.front.server import run
run(load_settings(), Application.load)
"""


class Server:
    """A server in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.variables = {
            "ABSTRACTS_DATA_DIR": str(folder),
            "ABSTRACTS_PORT": str(self.port),
            "ABSTRACTS_LOG_LEVEL": "WARNING",
        }
        with_services = Services(load_settings(self.variables))
        self.key = with_services.keys.create("x", ["predict", "read"])[1]
        with_services.close()
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self, **streams: int) -> Iterator["Server"]:
        self.process = start([sys.executable, "-c", SERVE], cwd=ROOT, env=os.environ | self.variables, **streams)
        try:
            until(self._answers)
            yield self
        finally:
            if self.process.poll() is None:
                self.process.terminate()
            try:
                self.process.wait(60)
            finally:
                end(self.process)

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/livez")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        end(self.process)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, headers, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def read(self, path: str) -> bytes:
        """What a GET answers."""
        response = requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)
        assert response.status_code == 200
        return response.content

    def predict(self, abstract: str = ABSTRACT) -> tuple[int, dict[str, str], Any]:
        return self.ask("POST", "/api/predict/", json.dumps({"abstract": abstract}).encode())


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_hit_survives_a_restart_and_a_kill(server: Server) -> None:
    with server.running():
        status, headers, first = server.predict()
        assert (status, headers["cache-status"]) == (200, "abstracts; fwd=uri-miss; stored")
        assert first["categories"][0]["label"] in ("hep-ex", "hep-ph")
        assert server.predict()[1]["cache-status"] == "abstracts; hit"
    with server.running():
        status, headers, again = server.predict()
        assert (status, headers["cache-status"]) == (200, "abstracts; hit")
        assert again == {**first, "cached": True}
        second = server.predict(f"{ABSTRACT} Twice.")[2]
        server.kill()
    with server.running():
        assert server.ask("GET", f"/api/predictions/{second['id']}")[2] == {**second, "cached": True}
        assert server.ask("GET", "/readyz")[2]["state"] == "ready"


def test_a_server_refuses_what_is_too_large_or_cut_short(server: Server) -> None:
    with server.running():
        assert server.ask("POST", "/api/predict/", b"x" * 100_000)[0] == 413
        assert answered_early(server) == b"HTTP/1.1 413"
        assert chunked(server, b'{"abstract": "' + b"a" * 100_000)[0] == 413
        status, _, problem = chunked(server, b'{"abstract": "x"}')
        assert (status, list(problem["errors"])) == (400, ["abstract"])
        assert server.predict()[0] == 200


def answered_early(server: Server) -> bytes:
    """The status line for 10 MB announced and not sent: the answer must not wait for them."""
    with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
        connection.sendall(
            f"POST /api/predict/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {10 * 1024 * 1024}\r\n\r\n".encode()
        )
        return connection.recv(12)


def chunked(server: Server, body: bytes) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
        connection.request("POST", "/api/predict/", iter([body]), headers, encode_chunked=True)
        response = connection.getresponse()
        return response.status, dict(response.headers), json.loads(response.read())
    finally:
        connection.close()


def workers(server: Server) -> list[int]:
    """The processes that serve."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def test_a_worker_that_dies_is_replaced_each_time(server: Server) -> None:
    server.variables["ABSTRACTS_WORKERS"] = "2"
    with server.running():
        until(lambda: len(workers(server)) == 2)
        for _ in range(3):
            before = workers(server)
            os.kill(before[0], signal.SIGKILL)
            assert server.ask("GET", "/livez")[0] == 200  # by the other one
            until(lambda: len(workers(server)) == 2 and workers(server) != before)  # noqa: B023
        assert server.predict()[0] == 200


def test_no_worker_survives_its_supervisor(server: Server) -> None:
    server.variables["ABSTRACTS_WORKERS"] = "2"
    with server.running():
        until(lambda: len(workers(server)) == 2)
        left = workers(server)
        assert server.process is not None
        server.process.kill()
        server.process.wait(60)
        until(lambda: not any(alive(pid) for pid in left))
        until(lambda: is_free(server.port))


def test_a_reload_replaces_every_worker_and_no_request_fails(server: Server) -> None:
    server.variables["ABSTRACTS_WORKERS"] = "2"
    statuses: list[int] = []
    with server.running():
        until(lambda: len(workers(server)) == 2)
        before = set(workers(server))
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGHUP)

        def renewed() -> bool:
            statuses.append(server.ask("GET", "/livez")[0])
            return len(workers(server)) == 2 and not before & set(workers(server))

        until(renewed)
        assert server.predict()[0] == 200
    assert set(statuses) == {200}


def test_it_stops_within_seconds_whatever_its_clients_do(server: Server) -> None:
    with server.running(), socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(b"POST /api/predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert server.ask("GET", "/livez")[0] == 200
        assert server.process is not None
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_a_log_that_nobody_reads_holds_nobody_up(server: Server) -> None:
    server.variables |= {"ABSTRACTS_LOG_LEVEL": "INFO", "ABSTRACTS_LOG_PROBES": "true"}
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        with server.running(stdout=writing, stderr=writing):
            for _ in range(200):  # each is a line of about 100 bytes
                assert server.ask("GET", "/livez")[0] == 200
            assert server.process is not None
            server.process.terminate()
            assert server.process.wait(30) == 0
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(("level", "told"), [("INFO", True), ("WARNING", False)])
def test_the_level_of_the_log_holds_for_the_servers_own_lines(server: Server, level: str, told: bool) -> None:
    server.variables["ABSTRACTS_LOG_LEVEL"] = level
    with server.running(stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        assert server.ask("GET", "/api/models")[0] == 200
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: len(workers(server)) == 1)
        server.process.terminate()
        output, errors = server.process.communicate(timeout=60)
    assert (b"Listening on" in errors, b"starting the processes anew" in errors, b"/api/models" in output) == (
        told,
    ) * 3


def test_metrics_tell_what_the_server_ended_itself(server: Server) -> None:
    with server.running():
        with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 400"
        text = server.read("/metrics").decode()
        assert 'abstracts_server_ended_total{reason="malformed-http"} 1.0' in text
        assert "abstracts_log_lines_lost_total 0.0" in text


def test_an_early_answer_reaches_every_client(server: Server) -> None:
    """Answers for which no body would have to be read: no key, no such route, the wrong method, too much."""
    with server.running(), requests.Session() as session:
        for body in (b"x" * 100, b"x" * 60_000, b"x" * 100_000):
            for method, path, key, status in (
                ("POST", "/api/predict/", "", 401),
                ("POST", "/nowhere", server.key, 404),
                ("PUT", "/api/predict/", server.key, 405),
                ("POST", "/api/predict/pdf", server.key, 415),
            ):
                for _ in range(20):
                    headers = {"X-API-Key": key, "Content-Type": "text/plain"}
                    url = f"http://127.0.0.1:{server.port}{path}"
                    assert session.request(method, url, data=body, headers=headers, timeout=60).status_code == status
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/api/predict/", b"x" * (10 << 20), timeout=60)
        assert error.value.code == 401
        error.value.close()


STALLED: Final = (
    (200, b"POST /api/predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"),
    (200, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50),  # unread
    (500, b""),
)


@contextmanager
def stalled(server: Server) -> Iterator[None]:
    """All these clients at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for number, sent in STALLED:
            for _ in range(number):
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", server.port))
                client.sendall(sent)
        yield


def test_hits_and_probes_get_through_whatever_others_do(server: Server) -> None:
    with server.running(), requests.Session() as session, ThreadPoolExecutor(40) as others:
        assert server.predict()[0] == 200
        session.headers["X-API-Key"] = server.key
        url = f"http://127.0.0.1:{server.port}"

        def upload() -> int:
            file = ("paper.pdf", b"%PDF-1.7\n" + b"x" * (4 << 20))
            headers = {"X-API-Key": server.key}
            return requests.post(
                f"{url}/api/predict/pdf", files={"file": file}, headers=headers, timeout=120
            ).status_code

        with stalled(server):
            uploads = [others.submit(upload) for _ in range(40)]
            took: dict[str, list[float]] = {"hit": [], "/livez": [], "/metrics": []}
            while not all(each.done() for each in uploads) or len(took["hit"]) < 20:
                for name, seconds in took.items():
                    started = time.monotonic()
                    if name == "hit":
                        answer = session.post(f"{url}/api/predict/", json={"abstract": ABSTRACT}, timeout=60)
                        assert answer.json()["cached"]
                    else:
                        answer = session.get(f"{url}{name}", timeout=60)
                    assert answer.status_code == 200
                    seconds.append(time.monotonic() - started)
            assert {each.result() for each in uploads} <= {422, 503}
            assert {name: statistics.median(seconds) < 0.1 for name, seconds in took.items()} == dict.fromkeys(
                took, True
            )
            assert server.process is not None
            server.process.terminate()
            assert server.process.wait(20) == 0


def test_a_server_that_cannot_start_says_so_and_ends(server: Server) -> None:
    code = SERVE.replace("Application.load)", "lambda: 1 / 0)")
    process = start(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | server.variables, stderr=subprocess.PIPE, text=True
    )
    try:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "ZeroDivisionError" in errors
        assert "NotServing: a server process ended with status 1 before it could serve" in errors
    finally:
        end(process)
