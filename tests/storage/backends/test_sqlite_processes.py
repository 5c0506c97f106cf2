"""SQLite files under several processes, some of which are killed."""

import itertools
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from storage.backends.memory import MemoryBackend
from storage.backends.sqlite.backend import SQLiteBackend
from storage.base import Backend
from tests.storage.backends.sqlite_child import KEYS, steps, value

LAST_STEP = 200
TIMEOUT = 60


def test_sqlite_survives_a_kill_before_every_statement(tmp_path: Path) -> None:
    killed = 0
    for number in range(1, LAST_STEP):
        path = tmp_path / f"{number}.db"
        child = _run("work", path, number)
        acknowledged = child.stdout.split("\n")[:-1]
        assert _state_of(path) in (_expected(len(acknowledged)), _expected(len(acknowledged) + 1))
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr
        killed += 1
    assert acknowledged == list(steps(MemoryBackend()))
    # Opening takes some ten statements, each write at least one.
    assert len(acknowledged) + 8 <= killed < LAST_STEP - 2


State = tuple[dict[str, bytes], dict[str, bytes], int]


def _state_of(path: Path) -> State:
    """What the file holds, having been checked by SQLite and found fit for further writes."""
    backend = SQLiteBackend(path)
    state = _state(backend)
    backend.put("jobs", "afterwards", value("afterwards"))
    backend.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return state


def _expected(number: int) -> State:
    """What a store holds after so many steps."""
    backend = MemoryBackend()
    for _ in itertools.islice(steps(backend), number):
        pass
    return _state(backend)


def _state(backend: Backend) -> State:
    results, keys = (
        {key: entry.value for key, entry in backend.get_many(namespace, KEYS).items()}
        for namespace in ("results", "keys")
    )
    return results, keys, backend.counter("limits", "counter")[0]


def test_sqlite_under_processes_and_threads_at_once(tmp_path: Path) -> None:
    processes, threads, rounds = 3, 3, 20
    path = tmp_path / "new folder" / "store.db"
    children = [_start("hammer", path, threads, rounds) for _ in range(processes)]
    outputs = [child.communicate(timeout=TIMEOUT) for child in children]
    assert [child.returncode for child in children] == [0] * processes, outputs
    expected = processes * threads * rounds
    backend = SQLiteBackend(path)
    assert backend.counter("limits", "all") == (expected, None)
    assert len(list(backend.scan("results"))) == expected
    entry = backend.get("jobs", "document")
    backend.close()
    assert entry is not None
    assert json.loads(entry.value) == {"n": expected}


def _command(command: str, path: Path, *numbers: int) -> list[str]:
    return [sys.executable, "-m", "tests.storage.backends.sqlite_child", command, str(path), *map(str, numbers)]


def _run(command: str, path: Path, *numbers: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(command, path, *numbers), capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def _start(command: str, path: Path, *numbers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(command, path, *numbers), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
