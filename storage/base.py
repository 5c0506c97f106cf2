"""The contract of every backend: a namespaced key-value store of JSON objects and counters.

Promises common to all methods:

- Thread safe, and safe to use on both sides of a fork: a process connects at its first call, never in the constructor.
- `namespace` is one of NAMESPACES; `key` is 1 to MAX_KEY_BYTES bytes of UTF-8 without NUL. Else ValueError.
- `ttl` is positive (else ValueError) or None for no expiry. An entry is never gone before its ttl and never returned
  two seconds or more after it (the best that whole-second clocks allow); an expired entry is absent for every method.
- A key holds either a value or a counter. Reading or changing one as the other raises Corrupt; put, remove and touch
  do not mind.
- Unavailable: the store did not answer within its timeout. Whether a write took effect is then unknown; `put`, `remove`
  and `touch` may be repeated, `increment` may not. Corrupt: what is stored cannot be read.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

NAMESPACES: Final = ("results", "keys", "jobs", "limits")

MAX_KEY_BYTES: Final = 246
"""What Couchbase allows for a key in a collection; the tightest bound of the backends, so it holds for all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value.

    value: the very bytes that were put (a JSON object in UTF-8).
    version: an opaque token, never 0, different after every write to the key, also across removal.
    """

    value: bytes
    version: int


class Backend(ABC):
    """A namespaced key-value store. See the module's docstring for what holds for every method."""

    @abstractmethod
    def get(self, namespace: str, key: str) -> Entry | None:
        """The entry, or None when absent."""

    @abstractmethod
    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        """The entries present, by key; absent keys are absent from the answer. Repeated keys are asked once.

        All or nothing with errors: Unavailable or Corrupt for one key is raised, not left out.
        """

    @abstractmethod
    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        """Write, whether or not the key is present; an earlier expiry is dropped. Safe to repeat."""

    @abstractmethod
    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        """Write if absent; False, and nothing changed, if present. Of several at once exactly one gets True."""

    @abstractmethod
    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        """Write if the entry still has `version`; Conflict when it has changed or is absent."""

    @abstractmethod
    def remove(self, namespace: str, key: str) -> bool:
        """Delete; False when absent."""

    @abstractmethod
    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        """Add `amount` (at least 1, else ValueError) atomically and return the new value.

        An absent counter is created at `amount` with `ttl`; an existing one keeps its expiry and `ttl` is ignored.
        """

    @abstractmethod
    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        """The counter's value and its expiry in unix seconds (None: never); (0, None) when absent."""

    @abstractmethod
    def touch(self, namespace: str, key: str, ttl: timedelta | None) -> bool:
        """Set a new time to live from now, or none; False when absent. The version may change."""

    @abstractmethod
    def ping(self) -> None:
        """Return when the store answers reads; raise Unavailable (or Corrupt) when not."""

    @abstractmethod
    def close(self) -> None:
        """Release connections, after calls in progress. May be repeated; a later call connects again."""


class Countable(ABC):
    """A backend that can count without reading everything."""

    @abstractmethod
    def count(self, namespace: str) -> int:
        """How many live entries and counters the namespace holds."""


class Scannable(ABC):
    """A backend that can list."""

    @abstractmethod
    def scan(self, namespace: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """Every live value whose key starts with `prefix`, each once, in no promised order; counters are left out.

        Entries written or removed meanwhile may or may not be seen. Removing entries while scanning is allowed.
        """


class Initialisable(ABC):
    """A backend that needs something made before its first use, by someone with the rights to."""

    @abstractmethod
    def init(self) -> None:
        """Make what is missing; harmless when all is there. Unavailable when the store is, or refuses."""


def check_key(namespace: str, key: str) -> None:
    """Raise ValueError unless the namespace is known and the key is one that every backend can hold."""
    check_namespace(namespace)
    if key.isascii():
        size = len(key)
    else:
        try:
            size = len(key.encode())
        except UnicodeEncodeError as exc:
            raise ValueError("a key must be valid Unicode") from exc
    if not 0 < size <= MAX_KEY_BYTES or "\0" in key:
        raise ValueError(f"a key is 1 to {MAX_KEY_BYTES} bytes without NUL, not {size}: {key[:40]!r}")


def check_namespace(namespace: str) -> None:
    """Raise ValueError unless the namespace is known."""
    if namespace not in NAMESPACES:
        raise ValueError(f"unknown namespace {namespace!r}")


def check_ttl(ttl: timedelta | None) -> float | None:
    """The ttl in seconds, None for no expiry; ValueError unless positive."""
    if ttl is None:
        return None
    seconds = ttl.total_seconds()
    if seconds <= 0:
        raise ValueError(f"a ttl must be positive, not {seconds} s")
    return seconds


def check_amount(amount: int) -> None:
    """Raise ValueError unless the amount is at least 1."""
    if amount < 1:
        raise ValueError(f"a counter is incremented by at least 1, not {amount}")
