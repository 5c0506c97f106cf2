"""Rate limits: fixed windows by IP address, by API key, and by key for model runs.

The engine is the one under flask-limiter (`limits`: notation, items, storages). flask-limiter's own request hook costs
some 45 µs a limit, a third of a stored answer; counting here costs one increment.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from limits import RateLimitItem, parse_many
from limits.storage import Storage

from service.errors import LimitExceeded
from storage.errors import StorageError
from storage.keys import ApiKey

_MEANING = {"ip": "requests from this address", "key": "requests with this API key", "inference": "model runs"}


@dataclass(frozen=True, slots=True)
class Window:
    """One limit after a request was counted: `quota` in `seconds`, of which `remaining`, until `resets_in` seconds."""

    policy: str
    quota: int
    seconds: int
    remaining: int
    resets_in: int


class RateLimits:
    """Counts requests in windows that start at multiples of their length since the epoch, the same for all processes.

    Counters are kept in `shared`; while that is out, in `local`, this process's memory. Both align windows as said.
    """

    def __init__(
        self,
        shared: Storage,
        local: Storage,
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

    def spend_key(self, key: ApiKey, spent: list[Window]) -> None:
        """Counts a request of an API key, by the key's own limit where it has one."""
        self._spend("key", key.limit or self._key, key.id, spent)

    def spend_inference(self, key: ApiKey, spent: list[Window]) -> None:
        """Counts a model run of an API key, by the key's own limit where it has one."""
        self._spend("inference", key.limit_inference or self._inference, key.id, spent)

    def _spend(self, policy: str, limit: str, identity: str, spent: list[Window]) -> None:
        windows = [self._count(name, item, identity) for name, item in _items(policy, limit)]
        spent.extend(window for window, _ in windows)
        exceeded = [window for window, fits in windows if not fits]
        if exceeded:
            worst = max(exceeded, key=lambda window: window.resets_in)
            raise LimitExceeded(
                f"More than {worst.quota} {_MEANING[policy]} in {worst.seconds} seconds. "
                f"Try again in {worst.resets_in} seconds.",
                worst.resets_in,
            )

    def _count(self, name: str, item: RateLimitItem, identity: str) -> tuple[Window, bool]:
        seconds = item.get_expiry()
        count = self._increment(item.key_for(name, identity), seconds)
        resets_in = max(1, ceil(seconds - self._clock() % seconds))
        return Window(name, item.amount, seconds, max(0, item.amount - count), resets_in), count <= item.amount

    def _increment(self, key: str, seconds: int) -> int:
        try:
            return self._shared.incr(key, seconds)
        except StorageError:  # counted and logged by the guard
            return self._local.incr(key, seconds)


@lru_cache(maxsize=1024)
def _items(policy: str, limit: str) -> tuple[tuple[str, RateLimitItem], ...]:
    """The limits of a policy, each under a name of its own."""
    items = parse_many(limit)
    if len(items) == 1:
        return ((policy, items[0]),)
    return tuple((f"{policy}-{item.get_expiry()}s", item) for item in items)


def policy_header(windows: Iterable[Window]) -> str:
    """The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10, section 3)."""
    return ", ".join(f'"{window.policy}";q={window.quota};w={window.seconds}' for window in windows)


def limit_header(windows: Iterable[Window]) -> str:
    """The value of RateLimit (the same draft, section 4)."""
    return ", ".join(f'"{window.policy}";r={window.remaining};t={window.resets_in}' for window in windows)
