"""How long the store may keep one request waiting, all its calls together.

`within(budget)` surrounds those calls of a request that it can do without, or would rather fail than wait for. A
backend asks `entered()` before each operation, gives it no more time than is left, and says how much it took. Calls
outside of it, as those of jobs and commands, are bounded one by one. Nothing goes from one thread to another.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from storage.breaker import PAUSE, Breaker
from storage.errors import Unavailable

CALLS: Final = 2
"""Calls that may take as long as one may, and then nothing is left."""
LEAST: Final = 0.002
"""Seconds with which it is not worth asking."""


class Budget:
    """What is left of a request's time, in seconds. For one thread at a time."""

    __slots__ = ("_one", "left", "probe", "seconds")

    def __init__(self, seconds: float, *, one: float = 0.0, probe: bool = False) -> None:
        """`one`: for what is essential, where there is no time from the beginning. `probe`: see Breaker."""
        self.seconds = self.left = seconds
        self._one = one
        self.probe = probe

    @property
    def spent(self) -> bool:
        """Whether there is none left."""
        return self.left < LEAST

    def begin(self) -> float:
        """The moment at which an operation begins. Unavailable if there is no time for one."""
        if self.spent:
            raise Unavailable("the store has taken all the time that this request has for it")
        return time.monotonic()

    def end(self, began: float) -> None:
        """Counts the time since `began`."""
        self.left -= time.monotonic() - began

    def extend(self, share: float) -> None:
        """Adds this part of what it was in the beginning."""
        if self.seconds:
            more = share * self.seconds
            self.seconds, self.left = self.seconds + more, self.left + more

    @contextmanager
    def essential(self) -> Iterator[None]:
        """Around an operation without which there is no answer."""
        self.left = self.left if self.seconds else self._one
        try:
            yield
        finally:
            self.left = self.left if self.seconds else 0.0


_entered: ContextVar[Budget | None] = ContextVar("store_budget", default=None)
entered: Final = _entered.get
"""The budget of the calls that this thread makes at present; None without one."""


@contextmanager
def within(budget: Budget | None) -> Iterator[None]:
    """Lets the calls of this thread come out of the budget, if there is one."""
    token = _entered.set(budget)
    try:
        yield
    finally:
        _entered.reset(token)


@contextmanager
def bounded(timeout: float) -> Iterator[float]:
    """Around one operation: how many seconds it may take, at most `timeout`. Unavailable if there is no time for it."""
    budget = entered()
    if budget is None:
        yield timeout
        return
    began = budget.begin()
    try:
        yield min(timeout, budget.left)
    finally:
        budget.end(began)


@contextmanager
def essential() -> Iterator[None]:
    """Around an operation without which there is no answer: it is tried even while the store is too slow for others."""
    budget = entered()
    if budget is None:
        yield
        return
    with budget.essential():
        yield


class Patience:
    """Gives each request its budget; none while the store is too slow for everybody.

    That is so when several requests in a row have used theirs up; from then on they go on without the store, but for
    one now and then, which finds out whether it has recovered. Thread safe.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic, pause: float = PAUSE) -> None:
        """`timeout`: of one operation, in seconds."""
        self._timeout = timeout
        self._breaker = Breaker("quick answers", clock=clock, pause=pause)

    @property
    def out(self) -> tuple[str, ...]:
        """As Status.out."""
        return (self._breaker.name,) if self._breaker.open else ()

    def budget(self) -> Budget:
        """For a request that begins. Give it to `settle` in the end."""
        try:
            return Budget(CALLS * self._timeout, one=self._timeout, probe=self._breaker.admit())
        except Unavailable:
            return Budget(0.0, one=self._timeout)

    def settle(self, budget: Budget) -> None:
        """Notes how a request fared that has been answered. One that did not ask the store says nothing."""
        if budget.seconds and budget.spent:
            self._breaker.failed(Unavailable(f"it took a request more than {budget.seconds:g} s"))
        elif budget.left < budget.seconds:
            self._breaker.answered(budget.probe)
