"""The connection of a process: who makes it, who waits for it, when it is closed. Without a server."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from storage.backends.couchbase.link import Link
from storage.breaker import Breaker
from storage.errors import Unavailable
from tests.contracts.backend_wait import exit_status, wait_until

T = TypeVar("T")


class Line:
    """What a link holds here; notes when it is closed, and in which process."""

    def __init__(self) -> None:
        self.closed = 0
        self.pid = os.getpid()

    def close(self) -> None:
        self.closed += 1


class Exchange:
    """Makes lines; `gate` holds it up, `fail` makes it fail."""

    def __init__(self) -> None:
        self.made: list[Line] = []
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()
        self.fail = False

    def __call__(self) -> Line:
        self.attempts += 1
        self.gate.wait(10)
        if self.fail:
            raise Unavailable(f"attempt {self.attempts}")
        self.made.append(Line())
        return self.made[-1]


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


class Watched(Breaker):
    """Counts who asks it, which everyone does before waiting for a connection."""

    asked = 0

    def admit(self) -> bool:
        self.asked += 1
        return super().admit()


def link_to(exchange: Exchange, patience: float = 10, fail_max: int = 100) -> Link[Line]:
    return Link(exchange, patience, Breaker("all", fail_max=fail_max, pause=3600))


def run(link: Link[Line], work: Callable[[Line], T]) -> T:
    with link.lent() as line:
        return work(line)


def test_nothing_is_connected_before_the_first_call(exchange: Exchange) -> None:
    link = link_to(exchange, 1)
    assert exchange.attempts == 0
    assert run(link, lambda line: line) is exchange.made[0]
    assert run(link, lambda line: line) is exchange.made[0]
    assert exchange.attempts == 1


def test_a_failure_is_tried_anew_by_the_next_call(exchange: Exchange) -> None:
    link = link_to(exchange, 1)
    exchange.fail = True
    for number in (1, 2):
        with pytest.raises(Unavailable, match=f"attempt {number}"):
            run(link, lambda line: line)
    exchange.fail = False
    assert run(link, lambda line: line.closed) == 0


def test_threads_that_come_while_one_connects_share_its_success(exchange: Exchange) -> None:
    link = link_to(exchange, 10)
    exchange.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(run, link, lambda line: line) for _ in range(5)]
        wait_until(lambda: exchange.attempts == 1)
        exchange.gate.set()
        assert {id(call.result(10)) for call in calls} == {id(exchange.made[0])}
    assert exchange.attempts == 1


def test_threads_that_come_while_one_connects_share_its_failure(exchange: Exchange) -> None:
    breaker = Watched("all")
    link = Link(exchange, 10, breaker)
    exchange.gate.clear()
    exchange.fail = True
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(run, link, lambda line: line)
        wait_until(lambda: exchange.attempts == 1)
        others = [pool.submit(run, link, lambda line: line) for _ in range(4)]
        wait_until(lambda: breaker.asked == 5)
        exchange.gate.set()
        for call in (first, *others):
            with pytest.raises(Unavailable, match="attempt 1"):
                call.result(10)
    assert exchange.attempts == 1


def test_nobody_waits_longer_than_its_patience(exchange: Exchange) -> None:
    link = link_to(exchange, 0.05)
    exchange.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run, link, lambda line: line)
        wait_until(lambda: exchange.attempts == 1)
        with pytest.raises(Unavailable, match="still connecting"):
            run(link, lambda line: line)
        exchange.gate.set()
        assert first.result(10) is exchange.made[0]


def test_closing_leaves_calls_in_progress_their_connection(exchange: Exchange) -> None:
    link = link_to(exchange)
    inside, leave = threading.Event(), threading.Event()

    def work(line: Line) -> int:
        inside.set()
        leave.wait(10)
        return line.closed

    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(run, link, work)
        assert inside.wait(10)
        link.close()
        assert exchange.made[0].closed == 0
        assert run(link, lambda line: line) is exchange.made[1]
        leave.set()
        assert call.result(10) == 0
    assert [line.closed for line in exchange.made] == [1, 0]


def test_after_failures_in_a_row_connecting_is_not_tried(exchange: Exchange) -> None:
    link = link_to(exchange, fail_max=2)
    exchange.fail = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            run(link, lambda line: line)
    assert exchange.attempts == 2


def test_closing_may_be_repeated_and_a_later_call_connects_again(exchange: Exchange) -> None:
    link = link_to(exchange, 1)
    link.close()
    run(link, lambda line: line)
    link.close()
    link.close()
    assert exchange.made[0].closed == 1
    assert run(link, lambda line: line) is exchange.made[1]


def test_an_error_of_the_call_gives_the_connection_back(exchange: Exchange) -> None:
    link = link_to(exchange, 1)
    with pytest.raises(ZeroDivisionError):
        run(link, lambda line: 1 // 0)
    link.close()
    assert exchange.made[0].closed == 1


def test_a_forked_child_makes_its_own_and_leaves_its_parents_alone(exchange: Exchange) -> None:
    link = link_to(exchange)
    run(link, lambda line: line)
    child = os.fork()
    if child == 0:
        os._exit(_in_child(link))
    assert exit_status(child) == 0
    assert run(link, lambda line: line) is exchange.made[0]
    assert exchange.made[0].closed == 0


def _in_child(link: Link[Line]) -> int:
    """0 when the child has a line of its own."""
    check: Callable[[Line], bool] = lambda line: line.pid == os.getpid() and not line.closed  # noqa: E731
    try:
        made = run(link, check)
        link.close()
    except BaseException:  # noqa: BLE001 (nothing may get out of the child but its status)
        return 4
    return 0 if made else 3
