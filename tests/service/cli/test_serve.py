"""`serve`: the real server in a process of its own."""

import json
import shlex
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from config import load_settings
from service.cli.serve import ABSTRACT
from service.front.server import base_url
from tests.processes import end

Program = Callable[..., Any]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


@contextmanager
def serving(program: Program, port: int, *options: str) -> Iterator[list[str]]:
    """A server that answers; the lines that it printed before the one that says so."""
    process = program("serve", *options, ABSTRACTS_PORT=str(port))
    try:
        lines: list[str] = []
        while "Listening on" not in (line := process.stderr.readline()):
            assert line, "".join(lines)
            lines.append(line)
        assert line.endswith(f" INFO abstracts.server: Listening on http://127.0.0.1:{port}\n")
        assert accepts(port)
        yield lines
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert "Traceback" not in err
    finally:
        end(process)
        process.communicate()


def accepts(port: int) -> bool:
    """Whether connections are accepted."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def curl(lines: list[str]) -> list[str]:
    """The printed command, in words."""
    text = "".join(lines)
    joined = text[text.index("curl ") :].split("\n\n")[0].replace("\\\n", "")  # shlex does not join such lines
    return shlex.split(joined)


def test_the_printed_line_works_and_the_key_is_made_once(program: Program, port: int) -> None:
    with serving(program, port, "--first-key") as lines:
        _, address, _, authorization, _, content_type, _, body = curl(lines)
        assert address == f"http://127.0.0.1:{port}/api/predict/"
        assert json.loads(body) == {"abstract": ABSTRACT}
        assert [line for line in lines if "INFO" in line] == []
        headers = dict(header.split(": ", 1) for header in (authorization, content_type))
        # The model of this test has no graph: the answer shows that the key and the abstract were taken.
        answer = requests.post(address, data=body, headers=headers, timeout=30)
        assert answer.status_code == 500
        assert answer.json()["type"] == "/problems/engine-failed"
    with serving(program, port, "--first-key") as lines:
        assert "Bearer $KEY" in curl(lines)[3]
        assert "KEY=$(" in "".join(lines)
        assert "abs_" not in "".join(lines)


def test_without_first_key_none_is_made(program: Program, port: int) -> None:
    with serving(program, port) as lines:
        assert lines == []  # nobody at a terminal could type what it would say
        refused = requests.post(f"http://127.0.0.1:{port}/api/predict/", json={"abstract": ABSTRACT}, timeout=30)
        assert refused.status_code == 401
    out, _ = program("keys", "list", "--json").communicate(timeout=300)
    assert json.loads(out) == []


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:81"), ("0.0.0.0", "http://127.0.0.1:81"), ("::", "http://[::1]:81")],
)
def test_the_address_for_clients(host: str, url: str) -> None:
    assert base_url(load_settings({"ABSTRACTS_HOST": host, "ABSTRACTS_PORT": "81"})) == url


def test_an_address_in_use_is_one_line(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = program("serve", ABSTRACTS_PORT=str(taken.getsockname()[1]))
        _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err.startswith("Error: cannot listen on 127.0.0.1:")
    assert "Traceback" not in err
