"""What can happen to a SQLite file in use: deleted, replaced, locked, damaged, its disk full; and copies of it."""

import os
import shutil
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from storage.backends.sqlite.backend import SQLiteBackend
from storage.backends.sqlite.schema import LOG_LIMIT
from storage.deadline import Budget, within
from storage.errors import Corrupt, StorageError, Unavailable
from tests.contracts.backend_wait import wait_until

VALUE = b'{"a": 1}'
LARGE = b'{"x": "' + b"x" * 500 + b'"}'
TIMEOUT = timedelta(milliseconds=300)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    """One with an entry, whose breakers let every call through."""
    made = SQLiteBackend(path, timeout=TIMEOUT, pause=0)
    made.put("results", "k", VALUE)
    yield made
    made.close()


def fails(call: Callable[[], object]) -> bool:
    try:
        call()
    except StorageError:
        return True
    return False


def test_nothing_is_stored_in_a_file_that_was_deleted(backend: SQLiteBackend, path: Path) -> None:
    path.unlink()
    for write in (lambda: backend.put("results", "l", VALUE), lambda: backend.increment("limits", "c")):
        with pytest.raises(Unavailable, match=r"store\.db has been deleted"):
            write()
    wait_until(lambda: fails(lambda: backend.get("results", "k")))
    with pytest.raises(Unavailable, match=r"store\.db has been deleted"):
        backend.ping()
    assert not path.exists()


def test_a_file_that_is_put_back_is_used_again(backend: SQLiteBackend, path: Path) -> None:
    path.rename(path.with_name("away"))
    assert fails(lambda: backend.put("results", "l", VALUE))
    path.with_name("away").rename(path)
    backend.put("results", "l", VALUE)
    assert set(backend.get_many("results", ["k", "l"])) == {"k", "l"}


def test_a_file_that_is_put_in_its_place_is_used_without_the_old_ones_log(
    backend: SQLiteBackend, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        backend.put("results", f"old{number}", LARGE)
    assert Path(f"{path}-wal").stat().st_size > 0
    other = SQLiteBackend(path.with_name("other.db"))
    other.put("results", "new", VALUE)
    other.close()
    path.with_name("other.db").rename(path)
    backend.put("results", "l", VALUE)
    assert {key for key, _ in backend.scan("results")} == {"new", "l"}
    assert "has been replaced" in caplog.text
    backend.verify()


def test_a_closed_backend_makes_a_missing_file(backend: SQLiteBackend, path: Path) -> None:
    backend.close()
    path.unlink()
    backend.put("results", "l", VALUE)
    assert [key for key, _ in backend.scan("results")] == ["l"]


def test_a_lock_of_another_process_costs_each_write_the_timeout_and_reads_nothing(
    backend: SQLiteBackend, path: Path
) -> None:
    took: list[float] = []

    def write() -> None:
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            backend.put("results", "l", VALUE)
        took.append(time.monotonic() - begin)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=write) for _ in range(4)]
        threads[0].start()
        half = time.monotonic() + TIMEOUT.total_seconds() / 2
        wait_until(lambda: time.monotonic() > half)
        for thread in threads[1:]:
            thread.start()
        begin = time.monotonic()
        assert backend.get("results", "k") is not None
        assert time.monotonic() - begin < TIMEOUT.total_seconds()
        for thread in threads:
            thread.join(20)
        other.execute("ROLLBACK")
    # Waiting for the other threads and for the other process is bounded together, not one after the other.
    assert max(took) < 1.4 * TIMEOUT.total_seconds()
    backend.put("results", "l", VALUE)


def test_a_lock_costs_a_request_no_more_than_its_budget(path: Path) -> None:
    backend, long = SQLiteBackend(path, timeout=timedelta(seconds=30)), timedelta(seconds=0.2).total_seconds()
    backend.put("results", "k", VALUE)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        with within(Budget(long)):
            for _ in range(5):
                with pytest.raises(Unavailable):
                    backend.put("results", "l", VALUE)
            with pytest.raises(Unavailable, match="all the time that this request has"):
                backend.get("results", "k")
        assert time.monotonic() - begin < 10
        assert backend.status().out == ()  # it was not given the time after which it would be given up
        other.execute("ROLLBACK")
    with within(Budget(long)):
        backend.put("results", "l", VALUE)
    backend.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_writes_and_not_reads(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend = SQLiteBackend(small_disk / "store.db", timeout=TIMEOUT, pause=0)
    with closing(backend):
        backend.put("results", "k", VALUE)
        filler = small_disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
        written = [
            key for key in (f"l{n}" for n in range(300)) if not fails(partial(backend.put, "results", key, LARGE))
        ]
        assert len(written) < 300
        assert backend.status().out == ("writes",)
        assert backend.status().errors["writes"] == 300 - len(written)
        with pytest.raises(Unavailable, match="full"):
            backend.ping()
        assert set(backend.get_many("results", ["k", *written])) == {"k", *written}
        filler.unlink()
        backend.put("results", "m", LARGE)
        backend.ping()
        assert backend.status().out == ()
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def damage(path: Path, first: float, last: float) -> None:
    """Overwrite a part of the file's pages, of which the first is left alone."""
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        for number in range(max(1, int(first * pages)), int(last * pages)):
            file.seek(number * 4096)
            file.write(os.urandom(4096))


@pytest.fixture
def filled(path: Path, backend: SQLiteBackend) -> Path:
    """A file of 2,000 entries and an API key's, all of it in the file and none in its log."""
    for number in range(2000):
        backend.put("results", f"k{number:04}", LARGE)
    backend.put("keys", "key", VALUE)
    backend.close()
    return path


def test_half_a_file_overwritten_is_seen_by_a_ping(filled: Path, backend: SQLiteBackend) -> None:
    backend.ping()
    damage(filled, 0.5, 1)
    backend._ping_at = 0.0
    with pytest.raises(Corrupt, match=r"store\.db is damaged"):
        backend.ping()
    with pytest.raises(Corrupt, match=r"store\.db is damaged .*store export"):
        backend.verify()


def test_what_surrounds_damaged_pages_is_salvaged(filled: Path, backend: SQLiteBackend) -> None:
    data = filled.read_bytes()
    pages = [start for start in range(4096, len(data), 4096) if b"results" in data[start : start + 4096]]
    with filled.open("r+b") as file:
        for start in (*pages[20:25], *pages[100:101]):
            file.seek(start)
            file.write(os.urandom(4096))
    with pytest.raises(Corrupt):
        list(backend.scan("results"))
    lost: list[str] = []
    found = dict(backend.scan("results", lost=lost.append))
    assert 1900 < len(found) < 2000
    assert all(entry.value in (LARGE, VALUE) for entry in found.values())
    missing = sum(int(text.split()[0]) for text in lost)
    assert missing == 2001 - len(found)
    assert all("results in a damaged part" in text for text in lost)


def test_a_file_damaged_from_its_middle_on_gives_what_it_has(filled: Path, backend: SQLiteBackend) -> None:
    damage(filled, 0.5, 1)
    lost: list[str] = []
    found = dict(backend.scan("results", lost=lost.append))
    assert len(found) > 500
    assert lost


def test_a_backup_is_whole_while_others_write(backend: SQLiteBackend, path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            backend.put("results", f"k{number}", LARGE)
            backend.put("keys", f"k{number}", LARGE)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: backend.get("results", "k50") is not None)
        backend.backup(path.with_name("copy.db"))
    finally:
        stop.set()
        writer.join(20)
    copy = path.with_name("copy.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(file.name for file in path.parent.iterdir() if not file.name.startswith("store.db")) == ["copy.db"]
    restored = SQLiteBackend(copy)
    results, keys = ({key for key, _ in restored.scan(namespace)} for namespace in ("results", "keys"))
    restored.close()
    assert len(results) > 50
    assert len(results - {"k"} - keys) <= 1


def test_a_backup_overwrites_nothing_and_leaves_nothing(backend: SQLiteBackend, path: Path) -> None:
    with pytest.raises(StorageError, match="exists already"):
        backend.backup(path)
    with pytest.raises(StorageError, match="No such file"):
        backend.backup(path.parent / "nowhere" / "copy.db")
    assert backend.get("results", "k") is not None


def test_the_log_is_cut_down_after_a_long_reader(backend: SQLiteBackend, path: Path) -> None:
    log = Path(f"{path}-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchall()
        for number in range(300):
            backend.put("results", f"k{number}", b'{"x": "' + b"x" * 50_000 + b'"}')
        assert log.stat().st_size > 2 * LOG_LIMIT
    for number in range(300):
        backend.put("results", f"k{number}", b'{"y": "' + b"y" * 5000 + b'"}')
    assert log.stat().st_size <= 1.5 * LOG_LIMIT
