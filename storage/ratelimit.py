"""Rate limits shared by everything that shares a backend: a storage class for the `limits` library.

flask-limiter is handed a ready backend through its options, under any URL of a store:

    Limiter(..., storage_uri="sqlite://", storage_options={"backend": backend})

Importing this module makes the schemes of these URLs known to `limits`: that is how its storages are found.
"""

import hashlib
import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from limits.limits import GRANULARITIES
from limits.storage import Storage

from storage.base import Backend
from storage.errors import StorageError
from storage.records.generations import Generations

NAMESPACE: Final = "limits"
GENERATION: Final = "counters"
GENERATION_TTL: Final = timedelta(seconds=5)


class BackendStorage(Storage):
    """Fixed windows over a backend.

    Windows are aligned to the clock and their number is part of the counter's key, so that replicas agree on where one
    begins whatever the precision of the backend's expiry; expiry only clears away. The length of the window is read
    from the key that `limits` makes (.../amount/multiples/granularity); any other key has one window, which begins with
    its first hit. Keys are stored hashed: they hold addresses and may be of any length and form.
    """

    STORAGE_SCHEME = ["sqlite", "couchbase", "couchbases"]  # noqa: RUF012 (declared so by the base class)

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        backend: Backend,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Over `backend`, which stays its owner's to close."""
        super().__init__(uri, wrap_exceptions)
        self.storage = backend
        self.now = now
        self._generations = Generations(self.storage, NAMESPACE, GENERATION_TTL)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What counts as a failure of the storage."""
        return StorageError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` hits (0: just look) and return the window's new total. Raises Unavailable."""
        if amount == 0:
            return self.get(key)
        length = _window_length(key)
        ttl = timedelta(seconds=expiry if length is None else length)
        return self.storage.increment(NAMESPACE, self._at(key, length), amount, ttl)

    def get(self, key: str) -> int:
        """The hits of the present window, 0 if none. Raises Unavailable."""
        return self.storage.counter(NAMESPACE, self._at(key, _window_length(key)))[0]

    def get_expiry(self, key: str) -> float:
        """When the present window ends, in unix seconds; now for a key without one. Raises Unavailable."""
        length = _window_length(key)
        if length is not None:
            return (self.now() // length + 1) * length
        expires_at = self.storage.counter(NAMESPACE, self._at(key, None))[1]
        return self.now() if expires_at is None else expires_at

    def check(self) -> bool:
        """Whether the backend answers."""
        try:
            self.storage.ping()
        except StorageError:
            return False
        return True

    def reset(self) -> int | None:
        """Forget all counters, in constant time; other processes follow within GENERATION_TTL. Returns None."""
        self._generations.bump(GENERATION)
        return None

    def clear(self, key: str) -> None:
        """Forget the hits of the present window. Raises Unavailable."""
        self.storage.remove(NAMESPACE, self._at(key, _window_length(key)))

    def _at(self, key: str, length: int | None) -> str:
        window = 0 if length is None else math.floor(self.now() / length)
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        return f"{self._generations.current(GENERATION)}/{digest}/{window}"


def _window_length(key: str) -> int | None:
    """Seconds of the window that a key of RateLimitItem.key_for() names in its last parts."""
    parts = key.rsplit("/", 2)
    item = GRANULARITIES.get(parts[-1])
    if item is None or len(parts) < 3 or not parts[1].isdecimal():
        return None
    return item.GRANULARITY.seconds * int(parts[1]) or None
