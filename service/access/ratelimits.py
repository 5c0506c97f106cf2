"""Rate limits: fixed windows by IP address, by API key, and by key for model runs.

The notation and the shared storage are those of flask-limiter's own engine (`limits`). flask-limiter's request hook
is not used: it takes a good part of what a stored answer takes, where counting here costs one increment a limit;
`python -m bench.limits` measures both.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import ceil
from threading import Lock
from typing import NamedTuple, Protocol

from limits import parse_many

from service.errors import LimitExceeded
from storage.errors import StorageError
from storage.records.apikeys import ApiKey

MOST_COUNTERS = 100_000
"""Counters that one process keeps in memory; with more addresses or keys at once, the oldest counters are forgotten."""

_MEANING = {"ip": "requests from this address", "key": "requests with this API key", "inference": "model runs"}


class Window(NamedTuple):
    """One limit after a request was counted: `quota` in `seconds`, of which `remaining`, until `resets_in` seconds."""

    policy: str
    quota: int
    seconds: int
    remaining: int
    resets_in: int


class Counters(Protocol):
    """What counts; storage.ratelimit.BackendStorage is one."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Counts in the key's present window of `expiry` seconds, which begins at a multiple of them since the epoch.

        Returns the window's new total. Raises StorageError.
        """


class LocalCounters:
    """Counters in this process's memory."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """See Counters; never raises."""
        window = int(self._clock() // expiry)
        with self._lock:
            began, count = self._counts.get(key, (window, 0))
            if began != window:
                del self._counts[key]  # so that the order is that of the windows' beginnings
                count = 0
            self._counts[key] = window, count + amount
            if len(self._counts) > MOST_COUNTERS:
                self._counts.popitem(last=False)
        return count + amount


class RateLimits:
    """Counts requests and refuses those beyond a limit. While `shared` is out, `local` counts."""

    def __init__(
        self,
        shared: Counters,
        local: Counters,
        *,
        ip: str,
        key: str,
        inference: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shared = shared
        self._local = local
        self._ip = ip
        self._key = key
        self._inference = inference
        self._clock = clock

    def spend_request(self, address: str, spent: list[Window]) -> None:
        """Counts a request of an IP address. Raises LimitExceeded; `spent` gets the windows in either case."""
        self._spend("ip", self._ip, address, spent)

    def spend_key(self, key: ApiKey, spent: list[Window], amount: int = 1) -> None:
        """Counts requests of an API key, by the key's own limit where it has one."""
        self._spend("key", key.limit or self._key, key.id, spent, amount)

    def spend_inference(self, key: ApiKey, spent: list[Window]) -> None:
        """Counts a model run of an API key, by the key's own limit where it has one."""
        self._spend("inference", key.limit_inference or self._inference, key.id, spent)

    def _spend(self, policy: str, limit: str, identity: str, spent: list[Window], amount: int = 1) -> None:
        now = self._clock()
        exceeded = None
        for name, quota, seconds, suffix in _rules(policy, limit):
            count = self._increment(f"{name}/{identity}{suffix}", seconds, amount)
            window = Window(name, quota, seconds, max(0, quota - count), max(1, ceil(seconds - now % seconds)))
            spent.append(window)
            if count > quota and (exceeded is None or window.resets_in > exceeded.resets_in):
                exceeded = window
        if exceeded is not None:
            raise LimitExceeded(
                f"More than {exceeded.quota} {_MEANING[policy]} in {exceeded.seconds} seconds. "
                f"Try again in {exceeded.resets_in} seconds.",
                exceeded.resets_in,
            )

    def _increment(self, key: str, seconds: int, amount: int) -> int:
        try:
            return self._shared.incr(key, seconds, amount)
        except StorageError:  # counted and logged by the guard
            return self._local.incr(key, seconds, amount)


@lru_cache(maxsize=1024)
def _rules(policy: str, limit: str) -> tuple[tuple[str, int, int, str], ...]:
    """Of each limit its name, quota, seconds, and the end of its counters' keys (as RateLimitItem.key_for() has it)."""
    items = parse_many(limit)
    return tuple(
        (
            policy if len(items) == 1 else f"{policy}-{item.get_expiry()}s",
            item.amount,
            item.get_expiry(),
            f"/{item.amount}/{item.multiples}/{item.GRANULARITY.name}",
        )
        for item in items
    )


def policy_header(windows: Iterable[Window]) -> str:
    """The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10, section 3)."""
    return ", ".join([f'"{window.policy}";q={window.quota};w={window.seconds}' for window in windows])


def limit_header(windows: Iterable[Window]) -> str:
    """The value of RateLimit (the same draft, section 4)."""
    return ", ".join([f'"{window.policy}";r={window.remaining};t={window.resets_in}' for window in windows])
