"""Leases: never more than the limit among all who share a store, little less, and hardly a call of the store."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage

from service.access.leases import ASK_AGAIN_AFTER, LARGEST_SHARE, LeasedWindows
from storage.backends.sqlite.backend import SQLiteBackend
from storage.base import Backend
from storage.ratelimit import BackendStorage
from tests.service.faults import FailingBackend


class Clock:
    def __init__(self) -> None:
        self.now = 6000.0  # a multiple of a minute

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def over(backend: Backend, clock: Clock) -> LeasedWindows:
    """What another process that shares the backend would have."""
    return LeasedWindows(BackendStorage(backend=backend, now=clock))


def allowed(windows: LeasedWindows, item: RateLimitItem, tries: int) -> int:
    return sum(windows.hit(item, "a") for _ in range(tries))


@pytest.mark.parametrize("quota", [1, 2, 10, 63, 64, 100, 1000, 12000])
def test_one_process_hands_out_exactly_the_limit(clock: Clock, quota: int) -> None:
    windows = over(FailingBackend(), clock)
    assert allowed(windows, RateLimitItemPerMinute(quota), quota + 10) == quota
    clock.now += 60
    assert windows.hit(RateLimitItemPerMinute(quota), "a") is True


def test_the_store_is_hardly_asked(clock: Clock) -> None:
    store = FailingBackend()
    windows, quota = over(store, clock), 12000
    allowed(windows, RateLimitItemPerMinute(quota), quota)
    assert store.calls < quota / 20
    before = store.calls
    allowed(windows, RateLimitItemPerMinute(quota), 1000)
    assert store.calls <= before + 1, "what is used up is known to be"


def test_what_is_left_is_told_exactly_by_the_only_process(clock: Clock) -> None:
    windows = over(FailingBackend(), clock)
    assert [windows.spend("a/1000/1/minute", 1000, 60) for _ in range(1001)] == [
        *((True, left) for left in range(999, -1, -1)),
        (False, 0),
    ]


def test_what_is_left_can_be_asked_without_counting(clock: Clock) -> None:
    store = FailingBackend()
    mine, theirs = over(store, clock), over(store, clock)
    item = RateLimitItemPerMinute(1000)
    key = item.key_for("a")
    assert [windows.remaining(key, 1000, 60) for windows in (mine, theirs)] == [1000, 1000]
    allowed(mine, item, 10)
    for _ in range(2):
        assert mine.remaining(key, 1000, 60) == 990
    assert 990 - 1000 / LARGEST_SHARE <= theirs.remaining(key, 1000, 60) <= 990  # less what the other has at hand
    allowed(theirs, item, 100)
    assert 890 - 1000 / LARGEST_SHARE <= mine.remaining(key, 1000, 60) <= 890
    store.down = True
    assert 0 < mine.remaining(key, 1000, 60) <= 990  # as far as this process knows
    clock.now += 60
    assert mine.remaining(key, 1000, 60) == 1000


@pytest.mark.parametrize("quota", [10, 100, 3000])
def test_several_processes_share_a_limit(clock: Clock, quota: int) -> None:
    store = FailingBackend()
    processes = [over(store, clock) for _ in range(4)]
    item = RateLimitItemPerMinute(quota)
    passed = sum(processes[n % 4].hit(item, "a") for n in range(4 * quota))
    assert passed == quota


@settings(max_examples=60, deadline=None)
@given(
    quota=st.sampled_from([1, 7, 64, 300, 5000]),
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 40), st.integers(1, 80), st.sampled_from([0, 0, 0, 0, 20, 61])),
        min_size=1,
        max_size=80,
    ),
)
def test_never_more_than_the_limit_and_at_most_the_leases_less(
    quota: int, steps: list[tuple[int, int, int, int]]
) -> None:
    """Four processes in any order, with costs of any size, in several windows."""
    clock, store, item = Clock(), FailingBackend(), RateLimitItemPerMinute(quota)
    processes = [over(store, clock) for _ in range(4)]
    passed: dict[float, int] = {}
    costs: dict[float, int] = {}
    for process, cost, times, seconds in steps:
        clock.now += seconds
        window = clock.now // 60
        for _ in range(times):
            costs[window] = max(costs.get(window, 0), cost)
            done = processes[process].hit(item, "a", cost=cost)
            passed[window] = passed.get(window, 0) + done * cost
            assert passed[window] <= quota
            kept = 4 * max(quota // LARGEST_SHARE, quota // 256, costs[window])
            assert done or passed[window] + cost > quota - kept


def test_a_refused_batch_uses_nothing_up(clock: Clock) -> None:
    windows, item = over(FailingBackend(), clock), RateLimitItemPerMinute(50)
    assert windows.hit(item, "a", cost=40) is True
    assert windows.hit(item, "a", cost=20) is False
    assert allowed(windows, item, 20) == 10


def test_what_is_given_back_can_be_spent_again(clock: Clock) -> None:
    windows, item = over(FailingBackend(), clock), RateLimitItemPerMinute(2)
    allowed(windows, item, 2)
    windows.give_back(item.key_for("a"), 60, 1, since=clock.now)
    assert allowed(windows, item, 2) == 1


def test_what_is_given_back_too_late_is_gone(clock: Clock) -> None:
    windows, item = over(FailingBackend(), clock), RateLimitItemPerMinute(2)
    allowed(windows, item, 1)
    spent_at = clock.now
    clock.now += 60
    allowed(windows, item, 1)
    windows.give_back(item.key_for("a"), 60, 1, since=spent_at)
    assert allowed(windows, item, 2) == 1


def test_in_an_outage_a_process_hands_out_what_was_left(clock: Clock) -> None:
    store, item = FailingBackend(), RateLimitItemPerMinute(10)
    windows, other = over(store, clock), over(store, clock)
    assert allowed(windows, item, 3) == 3
    store.down = True
    calls = store.calls
    assert allowed(windows, item, 10) == 7
    assert store.calls == calls + 1, "it is asked once, not for each request"
    assert allowed(other, item, 20) == 10, "and each process counts by itself"


def test_what_was_handed_out_in_an_outage_is_counted_when_it_is_over(clock: Clock) -> None:
    store, item = FailingBackend(), RateLimitItemPerMinute(10)
    windows, other = over(store, clock), over(store, clock)
    store.down = True
    assert allowed(windows, item, 4) == 4
    store.down = False
    clock.now += ASK_AGAIN_AFTER
    assert allowed(windows, item, 1) == 1
    assert allowed(other, item, 10) == 5


def test_after_an_operator_has_cleared_a_limit_it_counts_anew(clock: Clock) -> None:
    windows, item = over(FailingBackend(), clock), RateLimitItemPerMinute(3)
    assert allowed(windows, item, 5) == 3
    windows.clear(item, "a")
    clock.now += ASK_AGAIN_AFTER
    assert allowed(windows, item, 5) == 3


class Slow(FailingBackend):
    """A store during whose calls time passes."""

    def __init__(self, pass_time: Callable[[], None]) -> None:
        super().__init__()
        self._pass_time = pass_time

    def increment(self, *args: object, **kwargs: object) -> int:
        self._pass_time()
        return super().increment(*args, **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("delay", [0.3, 0.6, 2.5])
def test_windows_may_end_while_the_store_is_asked(clock: Clock, delay: float) -> None:
    def pass_time() -> None:
        clock.now += delay

    windows, item, began = over(Slow(pass_time), clock), RateLimitItemPerSecond(2), clock.now
    passed = 0
    for _ in range(40):
        passed += windows.hit(item, "a")
        clock.now += 0.1
    assert 8 <= passed <= 2 * (clock.now - began + 1)


def test_memory_of_its_own_is_not_asked_at_all(clock: Clock) -> None:
    storage = MemoryStorage()
    windows, item = LeasedWindows(storage, clock), RateLimitItemPerMinute(1000)
    assert allowed(windows, item, 1010) == 1000
    assert storage.get(item.key_for("a")) == 0


def test_what_is_not_at_hand_is_left_alone(clock: Clock) -> None:
    store = FailingBackend()
    windows = over(store, clock)
    assert windows.spend_here("a/1000/1/minute", 1000, 60) == (None, 1000)
    assert store.calls == 0
    assert windows.spend("a/1000/1/minute", 1000, 60) == (True, 999)
    assert windows.spend_here("a/1000/1/minute", 1000, 60) == (True, 998)


def test_the_clock_may_be_set_back(clock: Clock) -> None:
    windows, item = over(FailingBackend(), clock), RateLimitItemPerMinute(5)
    assert allowed(windows, item, 9) == 5
    clock.now -= 3600
    assert allowed(windows, item, 9) == 5
    clock.now += 3600
    assert allowed(windows, item, 9) == 0


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.access.leases.MOST_LEASES", 10)
    windows, item = LeasedWindows(MemoryStorage(), clock), RateLimitItemPerMinute(1)
    assert [windows.hit(item, str(number)) for number in range(20)] == [True] * 20
    assert [windows.hit(item, str(number)) for number in range(10, 20)] == [False] * 10


def test_threads_of_two_servers_hand_out_exactly_the_limit(tmp_path: Path, clock: Clock) -> None:
    backends = [SQLiteBackend(tmp_path / "store.db", now=clock) for _ in range(2)]
    servers, item = [over(backend, clock) for backend in backends], RateLimitItemPerMinute(1000)
    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda n: allowed(servers[n % 2], item, 200), range(16)))
    assert passed == 1000
    for backend in backends:
        backend.close()


def test_a_fork_does_not_hand_out_the_leases_of_its_parent(tmp_path: Path, clock: Clock) -> None:
    backend = SQLiteBackend(tmp_path / "store.db", now=clock)
    windows, item = over(backend, clock), RateLimitItemPerMinute(3000)
    assert windows.hit(item, "a")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(allowed(windows, item, 2000)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        passed = 1 + allowed(windows, item, 2000) + int(pipe.read())
    os.waitpid(child, 0)
    assert 3000 - 2 * (3000 // LARGEST_SHARE) <= passed <= 3000
    backend.close()


def test_two_servers_on_one_file_count_together(tmp_path: Path, clock: Clock) -> None:
    backends = [SQLiteBackend(tmp_path / "store.db", now=clock) for _ in range(2)]
    first, second = (over(backend, clock) for backend in backends)
    item = RateLimitItemPerMinute(10)
    assert allowed(first, item, 7) + allowed(second, item, 7) == 10
    for backend in backends:
        backend.close()
