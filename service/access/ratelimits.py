"""Rate limits: requests by IP address and by API key, and model runs by API key.

Windows are fixed and aligned to the clock: around the end of one, up to twice its quota may pass. The notation, the
storage and the strategy are flask-limiter's (service.access.limiter).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Final, Literal, NamedTuple

from limits import parse_many

from service.access.addresses import counted
from service.access.leases import LeasedWindows
from service.errors import InvalidRequest, LimitExceeded
from storage.deadline import Budget, within
from storage.records.apikeys import ApiKey

Scope = Literal["ip", "key", "inference"]

SHARE_OF_EACH: Final = 1 / 16
"""How much more store time an abstract of a batch adds to that of a request: three operations, mostly quick ones."""
_MEANING: Final = {"ip": "requests from this address", "key": "requests with this API key", "inference": "model runs"}


class Window(NamedTuple):
    """One limit after a request was counted: `quota` in `seconds`, of which `remaining`, until `resets_in` seconds."""

    policy: str
    quota: int
    seconds: int
    remaining: int
    resets_in: int


class _Rule(NamedTuple):
    """One window of a limit; its counters' keys are an identity between `before` and `after`."""

    policy: str
    quota: int
    seconds: int
    before: str
    after: str


class RateLimits:
    """Counts requests and refuses those beyond a limit; what is refused is not counted. Thread safe.

    An outage of the store is not shown: each process then counts by itself.
    """

    def __init__(
        self,
        strategy: LeasedWindows,
        refused: Callable[[Scope], None] = lambda _: None,
        /,
        *,
        ip: str,
        key: str,
        inference: str,
    ) -> None:
        """`refused` is told of each refusal by which limit it was."""
        self._strategy = strategy
        self._refused = refused
        self._ip = ip
        self._key = key
        self._inference = inference

    def spend_request(self, address: str, spent: list[Window]) -> None:
        """Counts a request of an IP address. Raises LimitExceeded; `spent` gets the windows in either case."""
        self._spend("ip", self._ip, counted(address), spent)

    def spend_key(self, key: ApiKey, spent: list[Window]) -> None:
        """Counts a request of an API key, by the key's own limit where it has one."""
        self._spend("key", key.limit or self._key, key.id, spent)

    def spend_batch(self, key: ApiKey, spent: list[Window], size: int, age: float) -> None:
        """Counts the rest of a batch of `size`, which spend_key has counted as one request `age` seconds ago at most.

        Raises InvalidRequest, and counts nothing of it, if the limit never lets as many through at once.
        """
        limit = key.limit or self._key
        rules = _rules("key", limit)
        tightest = min(rules, key=lambda rule: rule.quota)
        if size > tightest.quota:
            self._give_back(rules, key.id, 1, self._strategy.now() - age)
            raise InvalidRequest({"abstracts": [_too_many(tightest)]})
        if size > 1:
            self._spend("key", limit, key.id, spent, size - 1)

    def spend_inference(self, key: ApiKey, spent: list[Window]) -> None:
        """Counts a model run of an API key, by the key's own limit where it has one."""
        self._spend("inference", key.limit_inference or self._inference, key.id, spent)

    def spend_here(self, address: str, key: ApiKey) -> list[Window] | None:
        """Counts a request of both, if both have budget at hand that this process has taken from the store before.

        Otherwise None, and nothing is counted: ask spend_request and spend_key, which may wait for the store.
        """
        now = self._strategy.now()
        identity = counted(address)
        windows: list[Window] = []
        taken: list[tuple[str, _Rule]] = []
        for who, rules in ((identity, _rules("ip", self._ip)), (key.id, _rules("key", key.limit or self._key))):
            for rule in rules:
                done, remaining = self._strategy.spend_here(_counter(rule, who), rule.quota, rule.seconds)
                if not done:
                    for other, earlier in taken:
                        self._give_back((earlier,), other, 1, now)
                    return None
                taken.append((who, rule))
                windows.append(_window(rule, remaining, now))
        return windows

    def left(self, key: ApiKey) -> list[Window]:
        """The windows of an API key's limits, requests before model runs, as they are now; nothing is counted."""
        now = self._strategy.now()
        limits: tuple[tuple[Scope, str], ...] = (
            ("key", key.limit or self._key),
            ("inference", key.limit_inference or self._inference),
        )
        return [
            _window(rule, self._strategy.remaining(_counter(rule, key.id), rule.quota, rule.seconds), now)
            for scope, limit in limits
            for rule in _rules(scope, limit)
        ]

    def _spend(self, scope: Scope, limit: str, identity: str, spent: list[Window], cost: int = 1) -> None:
        rules, now = _rules(scope, limit), self._strategy.now()
        passed: list[_Rule] = []
        refused: list[Window] = []
        for rule in rules:
            done, remaining = self._strategy.spend(_counter(rule, identity), rule.quota, rule.seconds, cost)
            window = _window(rule, remaining, now)
            spent.append(window)
            if done:
                passed.append(rule)
            else:
                refused.append(window)
        if refused:
            self._give_back(passed, identity, cost, now)
            self._refused(scope)
            raise _exceeded(scope, refused)

    def _give_back(self, rules: Iterable[_Rule], identity: str, cost: int, since: float) -> None:
        for rule in rules:
            self._strategy.give_back(_counter(rule, identity), rule.seconds, cost, since)


def _counter(rule: _Rule, identity: str) -> str:
    return f"{rule.before}{identity}{rule.after}"


def _window(rule: _Rule, remaining: int, now: float) -> Window:
    return Window(rule.policy, rule.quota, rule.seconds, remaining, ceil(rule.seconds - now % rule.seconds))


def _exceeded(scope: Scope, refused: Sequence[Window]) -> LimitExceeded:
    window = max(refused, key=lambda window: window.resets_in)
    return LimitExceeded(
        f"More than {window.quota} {_MEANING[scope]} in {window.seconds} seconds. "
        f"Try again in {window.resets_in} seconds.",
        window.resets_in,
    )


def _too_many(rule: _Rule) -> str:
    return (
        f"Each counts as a request, and this API key may send {rule.quota} in {rule.seconds} seconds. "
        f"Send at most {rule.quota} at once, or a job."
    )


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose limits a request uses up; `windows` gets what is left. budget: its store time, where that is bounded.

    absent: the id of a prediction for which it has asked the store in vain.
    """

    limits: RateLimits
    key: ApiKey
    windows: list[Window] = field(default_factory=list)
    budget: Budget | None = None
    absent: str = ""
    since: float = field(default_factory=time.perf_counter)

    def charge(self) -> None:
        """Counts a run of the model. Raises LimitExceeded."""
        with self._noting() as spent:
            self.limits.spend_inference(self.key, spent)

    def charge_batch(self, size: int) -> None:
        """Counts each of a batch as a request, the first of which is counted. Raises LimitExceeded, InvalidRequest."""
        if self.budget is not None:
            self.budget.extend(size * SHARE_OF_EACH)
        with self._noting() as spent, within(self.budget):
            self.limits.spend_batch(self.key, spent, size, time.perf_counter() - self.since)

    @contextmanager
    def _noting(self) -> Iterator[list[Window]]:
        """Of each limit only the latest state is kept."""
        spent: list[Window] = []
        try:
            yield spent
        finally:
            policies = {window.policy for window in spent}
            self.windows[:] = [window for window in self.windows if window.policy not in policies] + spent


@lru_cache(maxsize=1024)
def _rules(scope: Scope, limit: str) -> tuple[_Rule, ...]:
    """The windows of a limit in flask-limiter's notation."""
    items = parse_many(limit)
    return tuple(
        _Rule(
            scope if len(items) == 1 else f"{scope}-{item.get_expiry()}s",
            item.amount,
            item.get_expiry(),
            f"{item.namespace}/",
            item.key_for("", scope).removeprefix(f"{item.namespace}/"),
        )
        for item in items
    )


def policy_header(windows: Iterable[Window]) -> str:
    """The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10, section 3)."""
    return ", ".join([f'"{window.policy}";q={window.quota};w={window.seconds}' for window in windows])


def limit_header(windows: Iterable[Window]) -> str:
    """The value of RateLimit (the same draft, section 4)."""
    return ", ".join([f'"{window.policy}";r={window.remaining};t={window.resets_in}' for window in windows])
