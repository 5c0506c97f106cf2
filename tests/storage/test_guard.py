"""The circuit breaker, around a SQLite file whose writers are locked out."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from storage.backends.memory import MemoryBackend
from storage.backends.sqlite.backend import SQLiteBackend
from storage.base import Backend, Countable, Entry, Scannable
from storage.breaker import GuardedBackend
from storage.errors import Conflict, Corrupt, StorageError, Unavailable
from tests.contracts.backend import BackendContract
from tests.contracts.backend_concurrency import ConcurrencyContract
from tests.contracts.backend_expiry import ExpiryContract
from tests.contracts.backend_store import Clock, Store, StoreFixture
from tests.contracts.backend_wait import wait_until
from tests.storage.backends.bare import BareBackend

VALUE = b'{"a": 1}'
NEVER = timedelta(days=1)
SOON = timedelta(milliseconds=1)


class GuardedStore(StoreFixture):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        clock, path = Clock(), tmp_path / "store.db"
        backend = GuardedBackend(SQLiteBackend(path, now=clock))
        yield Store(backend, clock.advance, lambda: GuardedBackend(SQLiteBackend(path, now=clock)), clock)
        assert backend.available
        assert backend.errors == 0
        backend.close()


class TestGuardedBackend(GuardedStore, BackendContract):
    pass


class TestGuardedExpiry(GuardedStore, ExpiryContract):
    pass


class TestGuardedConcurrency(GuardedStore, ConcurrencyContract):
    pass


class Outage:
    """A store whose writes fail while `locked()`, and what its guard told."""

    def __init__(self, path: Path, reset_timeout: timedelta) -> None:
        self.errors: list[Unavailable] = []
        self.transitions: list[bool] = []
        self.backend = GuardedBackend(
            SQLiteBackend(path, busy_timeout=timedelta(milliseconds=1)),
            fail_max=3,
            reset_timeout=reset_timeout,
            on_error=self.errors.append,
            on_transition=self.transitions.append,
        )
        self.backend.put("results", "k", VALUE)
        self._other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

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
def long_outage(tmp_path: Path) -> Iterator[Outage]:
    """One whose circuit, once open, stays open for the test."""
    with closing(Outage(tmp_path / "store.db", NEVER)) as outage:
        outage.begin()
        yield outage


@pytest.fixture
def short_outage(tmp_path: Path) -> Iterator[Outage]:
    """One whose circuit lets a probe through at once."""
    with closing(Outage(tmp_path / "store.db", SOON)) as outage:
        outage.begin()
        yield outage


def test_opens_after_failures_in_a_row(long_outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    backend = long_outage.backend
    long_outage.fail(2)
    assert backend.available
    long_outage.fail(1)
    assert not backend.available
    assert (backend.errors, len(long_outage.errors), long_outage.transitions) == (3, 3, [False])
    assert caplog.messages == ["the store is not available; going on without it"]


def test_open_circuit_refuses_everything_at_once_and_counts_nothing(long_outage: Outage) -> None:
    backend = long_outage.backend
    long_outage.fail(3)
    for call in (
        lambda: backend.get("results", "k"),
        lambda: backend.get_many("results", ["k"]),
        lambda: backend.add("results", "k", VALUE),
        lambda: backend.replace("results", "k", VALUE, 1),
        lambda: backend.remove("results", "k"),
        lambda: backend.increment("limits", "k"),
        lambda: backend.counter("limits", "k"),
        lambda: backend.touch("results", "k", None),
        backend.ping,
    ):
        with pytest.raises(Unavailable, match="the store is not available"):
            call()
    assert isinstance(backend, Scannable)
    assert isinstance(backend, Countable)
    with pytest.raises(Unavailable):
        list(backend.scan("results"))
    with pytest.raises(Unavailable):
        backend.count("results")
    assert backend.errors == 3


def test_a_success_between_failures_keeps_it_closed(long_outage: Outage) -> None:
    for _ in range(3):
        long_outage.fail(2)
        assert long_outage.backend.get("results", "k") is not None
    assert long_outage.backend.available
    assert long_outage.transitions == []


def test_conflict_and_corrupt_are_answers(tmp_path: Path) -> None:
    with closing(Outage(tmp_path / "store.db", NEVER)) as outage:
        backend = outage.backend
        for _ in range(5):
            with pytest.raises(Conflict):
                backend.replace("results", "k", VALUE, 1)
            with pytest.raises(Corrupt):
                backend.increment("results", "k")
            with pytest.raises(ValueError):
                backend.get("elsewhere", "k")
        assert backend.available
        assert (backend.errors, outage.transitions) == (0, [])


def test_an_answer_that_is_an_error_ends_the_row_of_failures(long_outage: Outage) -> None:
    for _ in range(2):
        long_outage.fail(2)
        with pytest.raises(Corrupt):
            long_outage.backend.counter("results", "k")
    assert long_outage.backend.available


def test_a_call_that_never_reached_the_store_does_not(long_outage: Outage) -> None:
    long_outage.fail(2)
    with pytest.raises(ValueError):
        long_outage.backend.get("elsewhere", "k")
    long_outage.fail(1)
    assert not long_outage.backend.available


def test_a_probe_is_passed_by_any_answer_but_not_by_a_call_that_never_reached_the_store(short_outage: Outage) -> None:
    backend = short_outage.backend
    short_outage.fail(3)
    wait_until(lambda: _outcome(lambda: backend.get("elsewhere", "k")) is ValueError)
    assert not backend.available
    wait_until(lambda: _outcome(lambda: backend.counter("results", "k")) is Corrupt)
    assert backend.available


def test_a_late_success_is_no_probe() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Late(MemoryBackend):
        def get(self, namespace: str, key: str) -> Entry | None:
            entered.set()
            leave.wait(20)
            return None

        def ping(self) -> None:
            raise Unavailable

    guarded = GuardedBackend(Late(), fail_max=3, reset_timeout=timedelta(microseconds=1))
    thread = threading.Thread(target=guarded.get, args=("results", "k"))
    thread.start()
    entered.wait(20)
    for _ in range(3):
        with pytest.raises(Unavailable):
            guarded.ping()
    leave.set()
    thread.join(20)
    assert not guarded.available


def test_closes_when_a_probe_succeeds(short_outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    backend = short_outage.backend
    short_outage.fail(3)
    wait_until(lambda: _reached(short_outage, 6))
    assert short_outage.transitions == [False]
    short_outage.end()
    wait_until(lambda: _written(backend))
    assert backend.available
    assert short_outage.transitions == [False, True]
    assert caplog.messages == [
        "the store is not available; going on without it",
        "the store is available again",
    ]


def test_one_probe_at_a_time_and_no_one_waits_for_it() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(MemoryBackend):
        calls = 0

        def get(self, namespace: str, key: str) -> Entry | None:
            self.calls += 1
            if self.calls > 3:
                entered.set()
                leave.wait(20)
            raise Unavailable

    slow = Slow()
    guarded = GuardedBackend(slow, fail_max=3, reset_timeout=SOON)
    for _ in range(3):
        with pytest.raises(Unavailable):
            guarded.get("results", "k")
    wait_until(lambda: _probe_started(guarded, entered))
    with pytest.raises(Unavailable, match="probe is under way"):
        guarded.get("results", "k")
    leave.set()
    wait_until(lambda: guarded.errors == 4)
    assert slow.calls == 4


def test_slow_calls_run_side_by_side() -> None:
    meeting = threading.Barrier(4)

    class Meeting(MemoryBackend):
        def ping(self) -> None:
            meeting.wait(20)

    guarded = GuardedBackend(Meeting())
    threads = [threading.Thread(target=guarded.ping) for _ in range(3)]
    for thread in threads:
        thread.start()
    guarded.ping()
    for thread in threads:
        thread.join(20)
    assert not meeting.broken


def test_failures_of_calls_under_way_count_once_and_are_no_probes(long_outage: Outage) -> None:
    ready, threads = threading.Barrier(6), []

    def write() -> None:
        ready.wait(20)
        with pytest.raises(Unavailable):
            long_outage.backend.put("results", "k", VALUE)

    for _ in range(6):
        threads.append(threading.Thread(target=write))
        threads[-1].start()
    for thread in threads:
        thread.join(20)
    assert not long_outage.backend.available
    assert long_outage.transitions == [False]
    assert 3 <= long_outage.backend.errors <= 6


def test_capabilities_are_those_of_the_backend() -> None:
    class Counting(BareBackend, Countable):
        def count(self, namespace: str) -> int:
            return self.inner.count(namespace)

    class Listing(BareBackend, Scannable):
        def scan(self, namespace: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
            return self.inner.scan(namespace, prefix)

    bare, counting = GuardedBackend(BareBackend()), GuardedBackend(Counting())
    listing, full = GuardedBackend(Listing()), GuardedBackend(MemoryBackend())
    capabilities = [(isinstance(g, Countable), isinstance(g, Scannable)) for g in (bare, counting, listing, full)]
    assert capabilities == [(False, False), (True, False), (False, True), (True, True)]
    for guarded in (counting, listing):
        guarded.put("results", "k", VALUE)
    assert isinstance(counting, Countable)
    assert counting.count("results") == 1
    assert isinstance(listing, Scannable)
    assert [key for key, _ in listing.scan("results")] == ["k"]


def _outcome(call: Callable[[], object]) -> type[Exception] | None:
    try:
        call()
    except (StorageError, ValueError) as exc:
        return type(exc)
    return None


def _probe_started(guarded: GuardedBackend, entered: threading.Event) -> bool:
    """Try in a thread, since a call that becomes the probe does not come back soon."""
    thread = threading.Thread(target=_quietly, args=(guarded,), daemon=True)
    thread.start()
    return entered.wait(0.05)


def _quietly(guarded: GuardedBackend) -> None:
    with pytest.raises(Unavailable):
        guarded.get("results", "k")


def _reached(outage: Outage, errors: int) -> bool:
    outage.fail(1)
    return outage.backend.errors >= errors


def _written(backend: Backend) -> bool:
    try:
        backend.put("results", "k", VALUE)
    except Unavailable:
        return False
    return True
