"""The connection of a process: who makes it, who waits for it, when it is closed. Without a server."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.backends.couchbase.link import Link
from storage.errors import Unavailable
from tests.contracts.backend_wait import exit_status, wait_until


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


def test_nothing_is_connected_before_the_first_call(exchange: Exchange) -> None:
    link = Link(exchange, 1)
    assert exchange.attempts == 0
    assert link.run(lambda line: line) is exchange.made[0]
    assert link.run(lambda line: line) is exchange.made[0]
    assert exchange.attempts == 1


def test_a_failure_is_tried_anew_by_the_next_call(exchange: Exchange) -> None:
    link = Link(exchange, 1)
    exchange.fail = True
    for number in (1, 2):
        with pytest.raises(Unavailable, match=f"attempt {number}"):
            link.run(lambda line: line)
    exchange.fail = False
    assert link.run(lambda line: line.closed) == 0


def test_threads_that_come_while_one_connects_share_its_success(exchange: Exchange) -> None:
    link = Link(exchange, 10)
    exchange.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(link.run, lambda line: line) for _ in range(5)]
        wait_until(lambda: exchange.attempts == 1)
        exchange.gate.set()
        assert {id(call.result(10)) for call in calls} == {id(exchange.made[0])}
    assert exchange.attempts == 1


def test_threads_that_come_while_one_connects_share_its_failure(exchange: Exchange) -> None:
    link = Link(exchange, 10)
    exchange.gate.clear()
    exchange.fail = True
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(link.run, lambda line: line)
        wait_until(lambda: exchange.attempts == 1)
        others = [pool.submit(link.run, lambda line: line) for _ in range(4)]
        wait_until(lambda: len(link._changed._waiters) == 4)  # type: ignore[attr-defined]
        exchange.gate.set()
        for call in (first, *others):
            with pytest.raises(Unavailable, match="attempt 1"):
                call.result(10)
    assert exchange.attempts == 1


def test_nobody_waits_longer_than_its_patience(exchange: Exchange) -> None:
    link = Link(exchange, 0.05)
    exchange.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(link.run, lambda line: line)
        wait_until(lambda: exchange.attempts == 1)
        with pytest.raises(Unavailable, match="still connecting"):
            link.run(lambda line: line)
        exchange.gate.set()
        assert first.result(10) is exchange.made[0]


def test_closing_waits_for_calls_in_progress(exchange: Exchange) -> None:
    link = Link(exchange, 10)
    inside, leave = threading.Event(), threading.Event()

    def work(line: Line) -> int:
        inside.set()
        leave.wait(10)
        return line.closed

    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(link.run, work)
        assert inside.wait(10)
        closing = pool.submit(link.close)
        wait_until(lambda: link._draining)
        leave.set()
        assert call.result(10) == 0
        closing.result(10)
    assert exchange.made[0].closed == 1


def test_closing_may_be_repeated_and_a_later_call_connects_again(exchange: Exchange) -> None:
    link = Link(exchange, 1)
    link.close()
    link.run(lambda line: line)
    link.close()
    link.close()
    assert exchange.made[0].closed == 1
    assert link.run(lambda line: line) is exchange.made[1]


def test_an_error_of_the_call_gives_the_connection_back(exchange: Exchange) -> None:
    link = Link(exchange, 1)
    with pytest.raises(ZeroDivisionError):
        link.run(lambda line: 1 // 0)
    link.close()
    assert exchange.made[0].closed == 1


def test_it_is_closed_before_a_fork_and_either_side_makes_its_own(exchange: Exchange) -> None:
    link = Link(exchange, 1)
    link.run(lambda line: line)
    child = os.fork()
    if child == 0:
        os._exit(_in_child(link))
    assert exit_status(child) == 0
    assert exchange.made[0].closed == 1
    assert link.run(lambda line: line) is exchange.made[1]


def _in_child(link: Link[Line]) -> int:
    """0 when the child has a line of its own."""
    check: Callable[[Line], bool] = lambda line: line.pid == os.getpid() and not line.closed  # noqa: E731
    try:
        return 0 if link.run(check) else 3
    except BaseException:  # noqa: BLE001 (nothing may get out of the child but its status)
        return 4
