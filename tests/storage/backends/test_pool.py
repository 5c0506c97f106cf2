"""Connections lent one call at a time."""

import os
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from storage.backends.sqlite import pool as pool_module
from storage.backends.sqlite.pool import Pool
from tests.contracts.backend_wait import exit_status, wait_until


class Numbers:
    """Connections that are numbers, and which of them are open."""

    def __init__(self) -> None:
        self.numbers: Iterator[int] = count(1)
        self.open: set[int] = set()
        self.pool: Pool[int] = Pool(self.connect, self.open.remove)

    def connect(self) -> int:
        number = next(self.numbers)
        self.open.add(number)
        return number


def test_a_returned_connection_is_lent_again() -> None:
    numbers = Numbers()
    first = numbers.pool.take()
    second = numbers.pool.take()
    assert first != second
    numbers.pool.give(first)
    assert numbers.pool.take() == first
    numbers.pool.give(first)
    numbers.pool.give(second)


def test_a_discarded_connection_is_closed_and_not_lent_again() -> None:
    numbers = Numbers()
    first = numbers.pool.take()
    numbers.pool.discard(first)
    assert numbers.open == set()
    second = numbers.pool.take()
    assert second != first
    numbers.pool.give(second)


def test_failure_to_connect_leaves_the_pool_usable() -> None:
    def fail() -> int:
        raise OSError("no")

    pool: Pool[int] = Pool(fail, print)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            pool.take()
    pool.close()
    assert pool._lent == 0


def test_close_waits_for_calls_in_progress_and_holds_up_new_ones() -> None:
    numbers = Numbers()
    busy = numbers.pool.take()
    closer = threading.Thread(target=numbers.pool.close)
    closer.start()
    wait_until(lambda: numbers.pool._draining)
    late: list[int] = []
    taker = threading.Thread(target=lambda: late.append(numbers.pool.take()))
    taker.start()
    assert closer.is_alive()
    assert numbers.open == {busy}
    numbers.pool.give(busy)
    closer.join(20)
    taker.join(20)
    assert busy not in numbers.open
    assert numbers.open == set(late)
    numbers.pool.give(late[0])


def test_close_gives_up_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "DRAIN_SECONDS", 0.01)
    numbers = Numbers()
    idle, busy = numbers.pool.take(), numbers.pool.take()
    numbers.pool.give(idle)
    numbers.pool.close()
    assert numbers.open == {busy}
    numbers.pool.give(busy)


def test_no_connection_is_open_across_a_fork() -> None:
    numbers = Numbers()
    idle, busy = numbers.pool.take(), numbers.pool.take()
    numbers.pool.give(idle)
    returner = threading.Timer(0.05, numbers.pool.give, [busy])
    returner.start()
    child = os.fork()
    if child == 0:
        os._exit(0 if not numbers.open and numbers.pool.take() == 3 else 1)
    returner.join()
    assert exit_status(child) == 0
    assert numbers.open == set()
    with numbers.pool._changed:
        assert numbers.pool._lent == 0


def test_a_fork_that_gave_up_waiting_counts_anew_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "DRAIN_SECONDS", 0.01)
    numbers = Numbers()
    busy = numbers.pool.take()
    child = os.fork()
    if child == 0:
        numbers.pool.give(numbers.pool.take())
        os._exit(numbers.pool._lent)
    assert exit_status(child) == 0
    assert numbers.pool._lent == 1
    numbers.pool.give(busy)
