"""The circuit breaker: alone, and around a SQLite file whose writers are locked out."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from storage.backends.sqlite.backend import SQLiteBackend
from storage.breaker import Breaker
from storage.errors import Conflict, Corrupt, StorageError, Unavailable
from tests.contracts.backend_store import Clock
from tests.contracts.backend_wait import wait_until

VALUE = b'{"a": 1}'
NEVER = 86_400.0
SOON = 0.001
GONE = Unavailable("gone")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("writes", fail_max=3, pause=5, clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(GONE)


def test_opens_after_failures_in_a_row_and_says_so_once(breaker: Breaker, caplog: pytest.LogCaptureFixture) -> None:
    fail(breaker, 2)
    assert not breaker.open
    fail(breaker, 3)
    assert breaker.open
    assert breaker.errors == 5
    assert caplog.messages == ["writes of the store are not available; going on without them (gone)"]


def test_an_answer_ends_the_row(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker, 2)
        breaker.answered(breaker.admit())
    assert not breaker.open


def test_open_it_refuses_all_but_one_call_each_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    for _ in range(3):
        with pytest.raises(Unavailable, match=r"writes are not tried \(gone\)"):
            breaker.admit()
        clock.advance(5)
        assert breaker.admit() is True
        breaker.failed(GONE)
    assert breaker.errors == 6


def test_a_probe_that_is_answered_closes_it(breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fail(breaker, 3)
    clock.advance(5)
    breaker.answered(breaker.admit())
    assert not breaker.open
    assert breaker.admit() is False
    fail(breaker, 2)
    assert not breaker.open
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_late_answer_is_no_probe(breaker: Breaker) -> None:
    late = breaker.admit()
    fail(breaker, 3)
    breaker.answered(late)
    assert breaker.open


def test_one_of_many_threads_is_the_probe(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.advance(5)
    probes: list[bool] = []

    def ask() -> None:
        try:
            probes.append(breaker.admit())
        except Unavailable:
            probes.append(False)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(probes) == [False] * 7 + [True]


class Outage:
    """A store whose writes fail between `begin` and `end`."""

    def __init__(self, path: Path, pause: float) -> None:
        self.backend = SQLiteBackend(path, timeout=timedelta(milliseconds=1), pause=pause)
        self.backend.put("results", "k", VALUE)
        self.backend.ping()  # whose success must not outlive a failure
        self._other = sqlite3.connect(path, isolation_level=None)

    def begin(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._other.execute("ROLLBACK")

    def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(Unavailable):
                self.backend.put("results", "k", VALUE)

    def close(self) -> None:
        self._other.close()
        self.backend.close()


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    """One whose circuit, once open, stays open for the test."""
    with closing(Outage(tmp_path / "store.db", NEVER)) as made:
        made.begin()
        yield made


def test_reads_and_writes_fail_apart(outage: Outage) -> None:
    backend = outage.backend
    outage.fail(3)
    assert backend.status() == ({"reads": 0, "writes": 3}, ("writes",))
    writes: tuple[Callable[[], object], ...] = (
        lambda: backend.put("results", "k", VALUE),
        lambda: backend.add("results", "k", VALUE),
        lambda: backend.replace("results", "k", VALUE, 1),
        lambda: backend.remove("results", "k"),
        lambda: backend.increment("limits", "k"),
        backend.ping,
    )
    for write in writes:
        with pytest.raises(Unavailable, match=r"writes are not tried .*locked"):
            write()
    assert backend.get("results", "k") is not None
    assert set(backend.get_many("results", ["k"])) == {"k"}
    assert backend.counter("limits", "k") == (0, None)
    assert [key for key, _ in backend.scan("results")] == ["k"]
    assert backend.status().errors == {"reads": 0, "writes": 3}


def test_reads_between_them_do_not_hide_failing_writes(outage: Outage) -> None:
    for _ in range(3):
        outage.fail(1)
        assert outage.backend.get("results", "k") is not None
    assert outage.backend.status().out == ("writes",)


def test_answers_that_are_errors_are_no_failures(tmp_path: Path) -> None:
    with closing(Outage(tmp_path / "store.db", NEVER)) as outage:
        backend = outage.backend
        for _ in range(5):
            with pytest.raises(Conflict):
                backend.replace("results", "k", VALUE, 1)
            with pytest.raises(Corrupt):
                backend.increment("results", "k")
            with pytest.raises(ValueError):
                backend.get("elsewhere", "k")
        assert backend.status() == ({"reads": 0, "writes": 0}, ())


def test_writes_come_back_by_a_probe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "storage.breaker")
    with closing(Outage(tmp_path / "store.db", SOON)) as outage:
        outage.begin()
        outage.fail(5)
        outage.end()
        wait_until(lambda: _written(outage.backend))
        assert outage.backend.status().out == ()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_failures_of_calls_side_by_side_open_it_once(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    ready, threads = threading.Barrier(6), []

    def write() -> None:
        ready.wait(20)
        with pytest.raises(Unavailable):
            outage.backend.put("results", "k", VALUE)

    for _ in range(6):
        threads.append(threading.Thread(target=write))
        threads[-1].start()
    for thread in threads:
        thread.join(20)
    assert outage.backend.status().out == ("writes",)
    assert 3 <= outage.backend.status().errors["writes"] <= 6
    assert len(caplog.records) == 1


def _written(backend: SQLiteBackend) -> bool:
    try:
        backend.put("results", "k", VALUE)
    except StorageError:
        return False
    return True
