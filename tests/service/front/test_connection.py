"""HTTP/1.1 as clients speak it, well and badly, against a worker over loopback."""

import io
import json
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import requests

from service.front.answering import Reply
from service.front.parsing import Request
from tests.service.front.serving import Application, echo, get, read_all, served
from tests.service.waiting import until

BIG = bytes(range(256)) * 40_000
"""10 MB."""


def shows(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers with what the application is told."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()]


def answers_with(*pieces: bytes, headers: tuple[tuple[str, str], ...] = (), status: str = "200 OK") -> Application:
    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return iter(pieces)

    return application


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def test_a_connection_serves_one_request_after_the_other() -> None:
    with served(echo) as here, requests.Session() as session:
        for size in (0, 1, 1000, 60_000):
            answer = session.post(f"http://127.0.0.1:{here.port}/a%20b?c=d", data=b"x" * size, timeout=30)
            assert (answer.status_code, len(answer.content)) == (200, size)
            assert answer.headers["X-Path"] == "/a b"
        assert len(here.worker.connections) == 1


def test_pipelined_requests_are_answered_in_order() -> None:
    with served(echo) as here:
        sent = b"".join(
            f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{i:03}".encode() for i in range(100)
        ) + get("/last")
        answers = here.exchange(sent)
        assert [part[-3:] for part in answers.split(b"HTTP/1.1 200 OK")[1:101]] == [b"%03d" % i for i in range(100)]
        assert b"X-Path: /last" in answers


def test_the_application_is_told_the_request_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_X_API_KEY", "of the process")
    monkeypatch.setenv("HTTP_PREFER", "respond-async")
    lines = ("X_API_Key: folded", "X_Forwarded_For: 1.2.3.4", "Cookie: a=1", "Cookie: b=2", "A: 1", "a: 2 ", "B:")
    with served(shows) as here:
        told = json.loads(body_of(here.exchange(get("/p%C3%A9%2Fq?r=%20", *lines))))
    assert told == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/pÃ©/q",  # bytes as Latin-1: PEP 3333
        "QUERY_STRING": "r=%20",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(here.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "x",
        "HTTP_CONNECTION": "close",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_A": "1, 2",
        "HTTP_B": "",
        "wsgi.url_scheme": "http",
    }
    assert os.environ["HTTP_PREFER"]


def test_a_chunked_body_arrives_whole_and_its_trailers_count_for_nothing() -> None:
    sent = (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nX-API-Key: trailer\r\n\r\n"
    )
    with served(echo) as here:
        assert body_of(here.exchange(sent)) == b"abcdefg"
    with served(shows) as here:
        told = json.loads(body_of(here.exchange(sent)))
        assert told["CONTENT_LENGTH"] == "7"
        assert not {"HTTP_X_API_KEY", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH"} & set(told)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_large_body_goes_through_a_file(method: str) -> None:
    with served(echo, limit_of=lambda *_: len(BIG)) as here:
        answer = requests.request(method, f"http://127.0.0.1:{here.port}/", data=BIG, timeout=60)
        assert answer.content == BIG
        until(lambda: here.worker.room.memory == 64 << 20 and here.worker.room.disk == 2 << 30)


def asks_the_size(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """As Flask does: a body that is too large is refused by its length."""
    large = int(environ.get("CONTENT_LENGTH", "0")) > 64 << 10
    assert not large or environ["wsgi.input"].read() == b""
    start_response("413 TOO LARGE" if large else "200 OK", [])
    return [b"done"]


def test_whoever_sends_too_much_reads_the_answer() -> None:
    with served(asks_the_size) as here:
        url = f"http://127.0.0.1:{here.port}/"
        for body in (BIG, iter([BIG[:100_000]] * 100)):
            answer = requests.post(url, data=body, timeout=60)
            assert (answer.status_code, answer.headers["Connection"]) == (413, "close")
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(url, data=BIG), timeout=60)
        assert (error.value.code, error.value.read()) == (413, b"done")
        error.value.close()
        with requests.Session() as session:
            codes = [session.post(url, data=b"x" * size, timeout=60).status_code for size in (10, 70_000) * 50]
        assert codes == [200, 413] * 50


def test_100_continue_is_sent_only_for_a_body_that_is_wanted() -> None:
    head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n\r\n"
    with served(asks_the_size) as here:
        with here.connect() as connection:
            connection.sendall(head.format(3).encode())
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"abc")
            assert read_all(connection).startswith(b"HTTP/1.1 200 OK")
        with here.connect() as connection:
            connection.sendall(head.format(10 << 20).encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413")


BAD = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "a length and chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "another coding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a bad chunk": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "a space before a colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello", 400),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a tunnel": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a long address": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    "a long header": (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", 431),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_proper_request_is_refused_and_the_connection_closed(case: str) -> None:
    sent, status = BAD[case]
    with served(echo) as here:
        answer = here.exchange(sent)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        slug = {400: "malformed-http", 431: "head-too-large"}[status]
        assert json.loads(body_of(answer))["type"] == f"/problems/{slug}"
        assert here.ended == {slug: 1}


def test_an_upgrade_is_not_taken_up() -> None:
    sent = (
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 3\r\n\r\nabc"
    )
    with served(echo) as here:
        first, second = here.exchange(sent + get("/next")).split(b"HTTP/1.1 200 OK")[1:]
        assert body_of(first) == b"abc"
        assert b"X-Path: /next" in second
        assert here.exchange(sent * 1000 + get("/next")).count(b"abc") == 1000


def test_http_1_0_ends_the_connection_unless_asked_otherwise() -> None:
    with served(answers_with(b"ab", b"c" * 100_000)) as here:
        old = here.exchange(b"GET / HTTP/1.0\r\n\r\n")
        assert b"Transfer-Encoding" not in old
        assert body_of(old) == b"ab" + b"c" * 100_000
    with served(echo) as here, here.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert b"\r\nConnection: keep-alive\r\n" in connection.recv(10_000)


def test_heads_have_no_body() -> None:
    with served(answers_with(b"abc", headers=(("Content-Length", "3"),))) as here, requests.Session() as session:
        for _ in range(3):
            answer = session.head(f"http://127.0.0.1:{here.port}/", timeout=30)
            assert (answer.headers["Content-Length"], answer.content) == ("3", b"")
    with served(answers_with(status="304 Not Modified")) as here:
        unchanged = here.exchange(get())
        assert b"Content-Length" not in unchanged
        assert body_of(unchanged) == b""


def test_a_long_answer_is_whole_whether_its_length_is_known_or_not() -> None:
    pieces = [BIG[i : i + 70_001] for i in range(0, len(BIG), 70_001)]
    for application in (answers_with(BIG), answers_with(*pieces), answers_with(*[BIG[i : i + 1] for i in range(300)])):
        with served(application) as here:
            answer = requests.get(f"http://127.0.0.1:{here.port}/", timeout=60)
            assert answer.content in (BIG, BIG[:300])


def fails(*pieces: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Application:
    def application(_: Any, start_response: Any) -> Iterator[bytes]:
        if pieces:
            start_response("200 OK", list(headers))
        yield from pieces
        raise RuntimeError("on purpose")

    return application


def test_a_failure_is_a_500_or_visibly_half_an_answer() -> None:
    with served(fails()) as here:
        assert requests.get(f"http://127.0.0.1:{here.port}/", timeout=30).status_code == 500
    long = (b"x" * 100_000,) * 3
    for application in (
        fails(*long),
        answers_with(*long, headers=(("Content-Length", "400000"),)),
        answers_with(b"abc", headers=(("Content-Length", "4"),)),
    ):
        with served(application) as here, pytest.raises(requests.RequestException):
            requests.get(f"http://127.0.0.1:{here.port}/", timeout=30).content  # noqa: B018


def test_what_the_application_opened_is_closed_when_the_client_goes() -> None:
    closed = threading.Event()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 100_000

        def close(self) -> None:
            closed.set()

    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Body()

    with served(application) as here:
        with here.connect() as connection:
            connection.sendall(get())
            with connection.makefile("rb") as file:
                assert len(file.read(1000)) == 1000
        assert closed.wait(30)
        until(lambda: not here.worker.connections)


def test_a_client_that_only_ends_its_own_direction_is_answered() -> None:
    with served(echo) as here, here.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert body_of(read_all(connection)) == b"abc"


def test_a_body_that_is_cut_off_never_reaches_the_application() -> None:
    called: list[Any] = []

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        called.append(environ["PATH_INFO"])
        return echo(environ, start_response)

    with served(application) as here:
        with here.connect() as connection:
            connection.sendall(b"POST /cut HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc")
        until(lambda: not here.worker.connections)
        assert here.exchange(get("/whole")).startswith(b"HTTP/1.1 200")
        assert called == ["/whole"]


def test_the_lane_answers_first() -> None:
    def lane(request: Request) -> Any:
        reply = Reply(200, [("X-By", "lane")], request.body.content or b"")
        if request.path == "/later":
            return lambda: reply
        if request.path == "/fails":
            raise RuntimeError("on purpose")
        return reply if request.path == "/at-once" else (lambda: None) if request.path == "/later-not" else None

    with served(echo, lane=lane) as here, requests.Session() as session:
        for path, by in (
            ("/at-once", "lane"),
            ("/later", "lane"),
            ("/later-not", None),
            ("/not", None),
            ("/fails", None),
        ):
            answer = session.post(f"http://127.0.0.1:{here.port}{path}", data=b"abc", timeout=30)
            assert (answer.content, answer.headers.get("X-By")) == (b"abc", by)
        assert here.ended == {"lane-failed": 1}
        large = session.post(f"http://127.0.0.1:{here.port}/at-once", data=io.BytesIO(b"x" * 70_000), timeout=30)
        assert "X-By" not in large.headers


def test_a_header_cannot_break_the_answer() -> None:
    with served(answers_with(b"x", headers=(("A", "b\r\nC: d"),))) as here:
        assert here.exchange(get()).startswith(b"HTTP/1.1 500")
