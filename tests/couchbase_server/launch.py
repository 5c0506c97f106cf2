"""The parent's side: start the server as a process, order faults, stop, kill and restart it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

BUCKET, USER, PASSWORD = "abstracts", "tester", "secret"
ROOT = Path(__file__).parents[2]
DEADLINE = 10


class Peer:
    """One server process. Use as a context manager; `kill` and `start` keep ports and (with a journal) documents."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self.ports: dict[str, list[int]] = {}

    def __enter__(self) -> "Peer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """The store's URL, without a scope."""
        return f"couchbase://127.0.0.1:{self.ports['kv'][0]}/{BUCKET}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        ports = ["--ports", json.dumps(self.ports)] if self.ports else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.couchbase_server", *self._arguments, *ports],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.ports = json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._end()

    def finish(self) -> int:
        """Closes its standard input and answers the exit status."""
        return self._end()

    def stop(self) -> None:
        """SIGSTOP: the connections stay, nothing answers."""
        os.kill(self._running().pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._running().pid, signal.SIGCONT)

    def advance(self, seconds: float) -> None:
        """Moves the server's clock."""
        self._post("clock", {"advance": seconds})

    def fault(self, kind: str, **rule: Any) -> None:
        """Orders a fault; see tests.couchbase_server.faults.Fault for the fields."""
        self._post("faults", {"kind": kind, **rule})

    def heal(self) -> None:
        """Takes back all faults."""
        requests.delete(self._control("faults"), timeout=DEADLINE).raise_for_status()

    def move(self, first: int, last: int, node: int) -> None:
        """Gives vBuckets first..last to another node."""
        self._post("map", {"first": first, "last": last, "node": node})

    def requests(self, opcode: int) -> int:
        """How many requests with this opcode have come in."""
        answer = requests.get(self._control("requests"), timeout=DEADLINE)
        answer.raise_for_status()
        count: int = answer.json().get(f"{opcode:#04x}", 0)
        return count

    def _post(self, path: str, body: dict[str, Any]) -> None:
        requests.post(self._control(path), json=body, timeout=DEADLINE).raise_for_status()

    def _control(self, path: str) -> str:
        return f"http://127.0.0.1:{self.ports['control'][0]}/{path}"

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server is not running"
        return self._process

    def _end(self) -> int:
        process, self._process = self._running(), None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        status = process.wait(DEADLINE)
        process.stdout.close()
        return status
