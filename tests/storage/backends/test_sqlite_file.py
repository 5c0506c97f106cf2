"""What is particular to a SQLite file: its schema, its faults, its locks and its connections."""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from storage.backends.sqlite.backend import PURGE_INTERVAL, PURGE_STEP, SQLiteBackend
from storage.backends.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from storage.errors import Corrupt, Unavailable
from tests.contracts.backend_store import Clock
from tests.contracts.backend_wait import exit_status, wait_until

VALUE = b'{"a": 1}'
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def opened(
    path: Path, timeout: timedelta = timedelta(seconds=2), clock: Callable[[], float] | None = None
) -> Iterator[SQLiteBackend]:
    """A backend over the path, closed at the end."""
    backend = SQLiteBackend(path, timeout=timeout, now=clock or Clock())
    try:
        yield backend
    finally:
        backend.close()


def pragma(path: Path, name: str) -> object:
    """What the file's header or the database says, read with the bare driver."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_nothing_is_opened_before_the_first_call(path: Path) -> None:
    with opened(path) as backend:
        assert not path.exists()
        backend.ping()
        assert path.exists()


def test_file_says_what_it_is(path: Path) -> None:
    with opened(path) as backend:
        backend.ping()
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "user_version") == SCHEMA_VERSION
    assert pragma(path, "journal_mode") == "wal"


def test_file_and_its_log_are_private(path: Path) -> None:
    with opened(path) as backend:
        backend.put("keys", "k", VALUE)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


def test_entries_outlive_the_backend(path: Path) -> None:
    with opened(path) as backend:
        backend.put("results", "k", VALUE)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    with opened(path) as backend:
        entry = backend.get("results", "k")
    assert entry is not None
    assert entry.value == VALUE


def test_relative_path_is_fixed_at_construction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with opened(Path("store.db")) as backend:
        monkeypatch.chdir("/")
        backend.ping()
    assert path.exists()


def test_newer_schema_is_refused(path: Path) -> None:
    with opened(path) as backend:
        backend.put("results", "k", VALUE)
    _execute(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with opened(path) as backend, pytest.raises(Corrupt, match=rf"store\.db has schema {SCHEMA_VERSION + 1}"):
        backend.get("results", "k")
    assert pragma(path, "user_version") == SCHEMA_VERSION + 1


def test_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    _execute(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with opened(path) as backend, pytest.raises(Corrupt, match=r"store\.db is a database of another program"):
        backend.put("results", "k", VALUE)
    assert path.read_bytes() == before


def test_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"just some text, long enough to be a header " * 50)
    before = path.read_bytes()
    with opened(path) as backend, pytest.raises(Corrupt, match=r"store\.db is damaged"):
        backend.ping()
    assert path.read_bytes() == before


def test_damaged_pages_are_reported(path: Path) -> None:
    with opened(path) as backend:
        for n in range(200):
            backend.put("results", f"k{n}", b'{"x": "' + b"x" * 500 + b'"}')
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with opened(path) as backend, pytest.raises(Corrupt, match=r"store\.db is damaged"):
        backend.get("results", "k1")


def test_missing_table_is_reported(path: Path) -> None:
    with opened(path) as backend:
        backend.ping()
    _execute(path, "DROP TABLE entries")
    with opened(path) as backend, pytest.raises(Corrupt, match=r"store\.db has not the expected tables"):
        backend.get("results", "k")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with opened(tmp_path / "file" / "store.db") as backend, pytest.raises(Unavailable, match=r"store\.db"):
        backend.ping()


def test_folder_in_the_place_of_the_file(path: Path) -> None:
    path.mkdir()
    with opened(path) as backend, pytest.raises(Unavailable, match=r"store\.db"):
        backend.ping()


@pytest.mark.parametrize("exists", [False, True])
def test_read_only_folder(exists: bool) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "store.db"
        if exists:
            with opened(path) as backend:
                backend.put("results", "k", VALUE)
            path.chmod(0o444)
        Path(name).chmod(0o555)
        child = os.fork()
        if child == 0:
            os._exit(_unavailable_to_nobody(path))
        assert exit_status(child) == 0
        assert path.exists() is exists
        Path(name).chmod(0o700)


def _unavailable_to_nobody(path: Path) -> int:
    """0 if the store is Unavailable to a user who may not write there (root may write anywhere)."""
    try:
        if os.getuid() == 0:
            os.setuid(NOBODY)
        SQLiteBackend(path).put("results", "k", b"{}")
    except Unavailable:
        return 0
    except BaseException:  # noqa: BLE001 (nothing may get out of the child but its status)
        return 2
    return 1


def test_a_recovered_file_is_used_again(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    with opened(obstacle / "store.db") as backend:
        with pytest.raises(Unavailable):
            backend.put("results", "k", VALUE)
        obstacle.unlink()
        backend.put("results", "k", VALUE)
        assert backend.get("results", "k") is not None


def test_writers_wait_for_their_timeout_and_readers_not_at_all(path: Path) -> None:
    with opened(path, timedelta(milliseconds=50)) as backend:
        backend.put("results", "k", VALUE)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="locked"):
                backend.put("results", "k", b"{}")
            entry = backend.get("results", "k")
            assert entry is not None
            assert entry.value == VALUE
            other.execute("ROLLBACK")
        backend.put("results", "k", b"{}")


def test_creation_waits_for_its_timeout_too(path: Path) -> None:
    patience = timedelta(milliseconds=100)
    with opened(path, patience) as backend, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(Unavailable, match="locked"):
            backend.ping()
        assert time.monotonic() - started >= patience.total_seconds()
        other.execute("ROLLBACK")
        backend.ping()


def test_write_succeeds_once_the_lock_is_free(path: Path) -> None:
    with opened(path, timedelta(seconds=20)) as backend:
        backend.put("results", "k", VALUE)
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            writer = threading.Thread(target=backend.put, args=("results", "k", b"{}"))
            writer.start()
            wait_until(backend._file._writing.locked)
            other.execute("ROLLBACK")
            writer.join(20)
        entry = backend.get("results", "k")
        assert entry is not None
        assert entry.value == b"{}"


def test_expired_entries_are_deleted_in_steps(path: Path) -> None:
    clock = Clock()
    with opened(path, clock=clock) as backend:
        for n in range(PURGE_STEP + 50):
            backend.increment("limits", f"c{n}", 1, timedelta(seconds=10))
        backend.put("results", "lasting", VALUE)
        clock.advance(PURGE_INTERVAL + 11)
        assert _rows(path) == PURGE_STEP + 51
        backend.put("results", "first", VALUE)
        assert _rows(path) == 52
        backend.put("results", "second", VALUE)
        assert _rows(path) == 3
        assert backend.purge_expired() == 0
        assert len(list(backend.scan("results"))) == 3


def test_a_purge_that_cannot_be_done_does_not_fail_the_write(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: SQLiteBackend, limit: int = 0) -> int:
        raise Unavailable("locked")

    monkeypatch.setattr(SQLiteBackend, "purge_expired", fail)
    with opened(path) as backend:
        assert backend.add("results", "k", VALUE) is True
    assert "were not deleted" in caplog.text


def test_threads_that_ended_leave_no_connection(path: Path) -> None:
    with opened(path) as backend:
        for _ in range(20):
            thread = threading.Thread(target=backend.put, args=("results", "k", VALUE))
            thread.start()
            thread.join()
        assert len(backend._file.idle) == 1
    assert backend._file.idle == []


def _execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
