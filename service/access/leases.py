"""Fixed windows whose budget is taken from a shared storage in leases: a strategy for `limits` and flask-limiter.

To count each request where several processes meet costs a round trip a request. Here a process takes a share of the
window at once and hands it out from memory. What it has taken counts as used for all others, so together they never
let more through than the limit; what a process has not handed out when the window ends, or when it ends itself, was
not available to the others. Shares are small: they begin at 1/256 of the limit, double while the process needs more,
and are at most 1/32 of what is left, so that limits below 64 are counted one by one, as is the end of every window.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from threading import Lock
from typing import Final

from cachetools import LRUCache
from limits import RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from storage import forks
from storage.errors import StorageError
from storage.ratelimit import BackendStorage

MOST_LEASES: Final = 100_000
"""Leases that one process keeps; beyond them the one that was longest without use is forgotten, used up or not."""

FIRST_SHARE: Final = 256
LARGEST_SHARE: Final = 32
ASK_AGAIN_AFTER: Final = 5.0
"""Seconds for which a storage that is out is not asked, nor is one that has nothing left in the window."""


@dataclass(slots=True)
class _Lease:
    """What this process may hand out of one window.

    left: what it has and has not handed out; below 0 what it has handed out without the storage. rest: what nobody had
    taken when the storage was last asked. share: what to take next. ask_after: the time until which `rest`, too, is
    handed out rather than to ask the storage.
    """

    window: float
    rest: int
    share: int
    ask_after: float
    left: int = 0
    asking: Lock = field(default_factory=Lock)

    def spend(self, cost: int, now: float) -> bool | None:
        """Whether `cost` was handed out; None if only the storage can tell."""
        if self.left >= cost or (now < self.ask_after and self.left + self.rest >= cost):
            self.left -= cost
            return True
        return False if now < self.ask_after else None

    def renew(self, asked: int, total: int | None, quota: int, now: float, cost: int) -> bool:
        """Spends `cost` after the storage was asked for `asked`; `total`: its count then, None if it is out."""
        if total is None:
            self.ask_after = now + ASK_AGAIN_AFTER
        else:
            self.left += max(0, min(asked, quota - total + asked))
            self.rest = max(0, quota - total)
            self.share = max(1, min(2 * self.share, self.rest // LARGEST_SHARE))
            self.ask_after = 0.0 if self.rest else now + ASK_AGAIN_AFTER
        return bool(self.spend(cost, now))


class LeasedWindows(FixedWindowRateLimiter):
    """Fixed windows, aligned to the clock, over a BackendStorage in leases. Thread safe.

    Any other storage (`limits`' own memory) is taken for this process's alone: it is not asked at all, the whole window
    is handed out from here. So is, while a storage is out, what was left when it last answered; what was handed out
    meanwhile is counted there when it is back. `test` and `get_window_stats` tell what the storage counts.
    """

    NAME: Final = "leased-windows"

    def __init__(self, storage: Storage, now: Callable[[], float] | None = None) -> None:
        """`now` gives unix seconds; by default the storage's clock, whose windows these are."""
        super().__init__(storage)
        self._shared = isinstance(storage, BackendStorage)
        self.now = now or (storage.now if isinstance(storage, BackendStorage) else time.time)
        self._begin()
        forks.begin_anew_in_child(self._begin)

    def _begin(self) -> None:
        """Without leases: in a forked process those of the parent would be handed out twice."""
        self._lock = Lock()
        self._leases: LRUCache[str, _Lease] = LRUCache(MOST_LEASES)

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Whether `cost` was handed out of the item's present window; if not, nothing was."""
        return self.spend(item.key_for(*identifiers), item.amount, item.get_expiry(), cost)[0]

    def spend(self, key: str, quota: int, seconds: int, cost: int = 1) -> tuple[bool, int]:
        """`hit` for an item's parts: whether `cost` was handed out, and what is left as far as this process knows.

        key: of RateLimitItem.key_for(). quota: in each window of so many `seconds`.
        """
        done, remaining = self.spend_here(key, quota, seconds, cost)
        return self._ask(key, quota, seconds, cost) if done is None else (done, remaining)

    def spend_here(self, key: str, quota: int, seconds: int, cost: int = 1) -> tuple[bool | None, int]:
        """`spend` without the storage: None, and nothing is handed out, where that would have to be asked."""
        now = self.now()
        with self._lock:
            lease = self._lease(key, quota, now // seconds)
            return lease.spend(cost, now), max(0, lease.left + lease.rest)

    def remaining(self, key: str, quota: int, seconds: int) -> int:
        """What is left: of a shared storage what nobody has taken of the window, and what this process has of it."""
        with self._lock:
            lease = self._lease(key, quota, self.now() // seconds)
            left, rest = lease.left, lease.rest
        if self._shared:
            with suppress(StorageError):  # counted and logged by the breaker; then as far as this process knows
                rest = quota - int(self.storage.get(key))
        return max(0, left + rest)

    def give_back(self, key: str, seconds: int, cost: int, since: float) -> None:
        """Takes back what `spend` handed out at unix time `since` or later, unless its window may be over."""
        window = self.now() // seconds
        with self._lock:
            lease = self._leases.get(key)
            if lease is not None and lease.window == window == since // seconds:
                lease.left += cost

    def _lease(self, key: str, quota: int, window: float) -> _Lease:
        lease = self._leases.get(key)
        if lease is None or lease.window != window:
            lease = _Lease(window, quota, max(1, quota // FIRST_SHARE), 0.0 if self._shared else inf)
            self._leases[key] = lease
        return lease

    def _ask(self, key: str, quota: int, seconds: int, cost: int) -> tuple[bool, int]:
        """`spend` for what only the storage can tell; one thread asks for a lease, the others wait for its answer.

        If the window ends meanwhile, the share is of the next one or lost: the lease is looked at no more.
        """
        with self._lock:
            lease = self._lease(key, quota, self.now() // seconds)
        with lease.asking:
            with self._lock:
                done = lease.spend(cost, self.now())
                asked = max(cost - min(lease.left, 0), lease.share)
            if done is None:
                total = self._take(key, seconds, asked)
                with self._lock:
                    done = lease.renew(asked, total, quota, self.now(), cost)
        return done, max(0, lease.left + lease.rest)

    def _take(self, key: str, seconds: int, amount: int) -> int | None:
        try:
            return self.storage.incr(key, seconds, amount)
        except StorageError:  # counted and logged by the breaker
            return None
