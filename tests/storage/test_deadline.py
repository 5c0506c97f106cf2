"""Budgets of store time: what is left, who has one, and when nobody gets one any more."""

import threading
import time

import pytest

from storage.deadline import CALLS, Budget, Patience, bounded, entered, essential, within
from storage.errors import Unavailable
from tests.contracts.backend_store import Clock

TIMEOUT = 0.25
PAUSE = 5.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(TIMEOUT, clock, PAUSE)


def used(patience: Patience, seconds: float) -> None:
    """A request whose calls took so long."""
    budget = patience.budget()
    if not budget.spent:
        budget.end(time.monotonic() - seconds)
    patience.settle(budget)


def test_outside_of_a_budget_an_operation_has_its_own_time() -> None:
    assert entered() is None
    with within(None), bounded(TIMEOUT) as seconds:
        assert seconds == TIMEOUT


def test_operations_share_a_budget_until_it_is_spent() -> None:
    budget = Budget(0.4)
    with within(budget):
        assert entered() is budget
        with bounded(TIMEOUT) as seconds:
            assert seconds == TIMEOUT
        budget.end(time.monotonic() - 0.2)
        with bounded(TIMEOUT) as seconds:
            assert 0.1 < seconds < 0.2
        budget.end(time.monotonic() - 0.2)
        with pytest.raises(Unavailable, match="all the time that this request has"), bounded(TIMEOUT):
            pytest.fail("it was begun")
    assert entered() is None


def test_what_fails_takes_its_time_too_and_leaves_no_budget_behind() -> None:
    budget = Budget(60.0)
    with pytest.raises(ZeroDivisionError), within(budget), bounded(TIMEOUT):
        1 // 0  # noqa: B018
    assert budget.left < 60.0
    assert entered() is None


def test_a_thread_has_no_other_ones_budget() -> None:
    found: list[Budget | None] = []
    with within(Budget(1.0)):
        thread = threading.Thread(target=lambda: found.append(entered()))
        thread.start()
        thread.join()
    assert found == [None]


def test_what_there_is_no_answer_without_gets_its_time() -> None:
    for left, during, after in ((0.0, 0.25, 0.0), (0.5, 0.5, 0.3), (0.3, 0.3, 0.1)):
        budget = Budget(left, one=0.25)
        with within(budget), essential():
            assert budget.left == during
            budget.end(time.monotonic() - 0.2)
        assert budget.left == pytest.approx(after, abs=0.01)


def test_what_is_essential_outside_of_a_budget_has_its_own_time() -> None:
    with essential(), bounded(TIMEOUT) as seconds:
        assert seconds == TIMEOUT


def test_a_larger_request_has_more_but_nothing_of_nothing() -> None:
    budget = Budget(0.5)
    budget.extend(3)
    assert (budget.left, budget.seconds) == (2.0, 2.0)
    nothing = Budget(0.0)
    nothing.extend(3)
    assert nothing.spent


def test_a_store_that_is_slow_for_everybody_is_given_up_and_tried_now_and_then(
    patience: Patience, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert patience.budget().left == CALLS * TIMEOUT
    for _ in range(3):
        assert not patience.out
        used(patience, 0.6)
    assert patience.out == ("quick answers",)
    assert "it took a request more than 0.5 s" in caplog.text
    assert [patience.budget().left for _ in range(3)] == [0.0] * 3
    clock.advance(PAUSE)
    used(patience, 0.6)  # the one that finds out
    assert patience.budget().spent
    clock.advance(PAUSE)
    used(patience, 0.3)
    assert not patience.out
    assert not patience.budget().spent


def test_who_is_answered_in_time_ends_the_row_and_who_asks_nothing_says_nothing(patience: Patience) -> None:
    for seconds in (0.6, 0.6, 0.1, 0.6, 0.6, 0.1, 0.6, 0.6):
        used(patience, seconds)
        patience.settle(patience.budget())
        assert not patience.out
    used(patience, 0.6)
    assert patience.out
