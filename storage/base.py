"""The contract of every backend: a namespaced key-value store of JSON objects and counters.

Promises common to all methods:

- Thread safe. A process connects at its first call, never in the constructor; a forked child connects anew, and is
  to be forked with the backend closed: not every driver survives a fork.
- `namespace` is one of NAMESPACES; `key` is 1 to MAX_KEY_BYTES bytes of UTF-8 without NUL. Else ValueError.
- `ttl` is positive (else ValueError) or None for no expiry. An entry is never gone before its ttl and never returned
  two seconds or more after it (the best that whole-second clocks allow); an expired entry is absent for every method.
- A key holds either a value or a counter. Reading or changing one as the other raises Corrupt; put and remove do not
  mind.
- Unavailable: the store did not answer within its timeout, or what is asked for has failed so often that it is not even
  tried (see storage.breaker; reads and writes apart). Whether a write took effect is then unknown; `put` and `remove`
  may be repeated, `increment` may not. Corrupt: what is stored cannot be read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final, Literal, NamedTuple
from urllib.parse import SplitResult

import msgspec

from storage.errors import StorageError

NAMESPACES: Final = ("results", "keys", "jobs", "limits")

MAX_KEY_BYTES: Final = 246
"""What Couchbase allows for a key in a collection; the tightest bound of the backends, so it holds for all."""

Kind = Literal["reads", "writes"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored value.

    value: the very bytes that were put (a JSON object in UTF-8).
    version: an opaque token, never 0, different after every write to the key, also across removal.
    """

    value: bytes
    version: int


class Status(NamedTuple):
    """How a backend fares, by its own calls.

    errors: how many have failed in this process, by kind. out: what is given up at present, in words (`writes`,
    `reads of db2:11210`); empty when all is well. What has just gone is noticed only by calls.
    """

    errors: Mapping[Kind, int]
    out: tuple[str, ...]


class Backend(ABC):
    """A namespaced key-value store. See the module's docstring for what holds for every method."""

    shared: ClassVar[bool]
    """Whether other processes can see what is stored."""
    near: ClassVar[bool]
    """Whether it is on this machine: a read then takes less time than to have another thread do it."""

    @abstractmethod
    def get(self, namespace: str, key: str) -> Entry | None:
        """The entry, or None when absent."""

    @abstractmethod
    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        """The entries present, by key; absent keys are absent from the answer. Repeated keys are asked once.

        Unavailable or Corrupt for one key is raised, not left out; Incomplete has what else was found.
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
    def scan(
        self, namespace: str, prefix: str = "", lost: Callable[[str], None] | None = None
    ) -> Iterator[tuple[str, Entry]]:
        """Every live value whose key starts with `prefix`, each once, in no promised order; counters are left out.

        `results` can be listed everywhere, another namespace raises StorageError where it cannot. Entries written or
        removed meanwhile may or may not be seen; removing entries while scanning is allowed. What cannot be read raises
        Corrupt; with `lost` it is left out, and `lost` is told of it in words.
        """

    @abstractmethod
    def ping(self) -> None:
        """Return when the store answers reads and takes writes; raise Unavailable or Corrupt, saying why, when not."""

    @abstractmethod
    def status(self) -> Status:
        """How the calls so far have fared; asks nothing of the store."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Names and versions of what the store is reached with."""

    @abstractmethod
    def close(self) -> None:
        """Release connections, once calls in progress have ended. May be repeated; a later call connects again."""

    def init(self) -> None:
        """Make what the store needs before its first use; harmless when all is there. Unavailable if it refuses."""
        self.ping()

    def verify(self) -> None:
        """As ping, and look through everything that is stored, however long that takes."""
        self.ping()

    def backup(self, path: Path) -> None:
        """Write a copy, complete and of one moment, to a new file while the store is in use.

        StorageError if that is not how this kind of store is backed up, or if the file cannot be written.
        """
        raise StorageError(f"a store of this kind cannot be copied to {path}: use its own tools, or `store export`")


@dataclass(frozen=True, slots=True)
class Options:
    """How to reach a store; every backend takes what applies to it.

    timeout: of one call. connect_timeout: of connecting, once a process. ca: PEM file of the authority to trust.
    """

    username: str
    password: str
    timeout: timedelta
    connect_timeout: timedelta
    ca: Path | None


Opener = Callable[[SplitResult, Options], Callable[[], Backend]]
"""Of each kind of store: checks a URL of its scheme with its options (BadOptions says what to give instead) without
importing a driver; what it returns does that, and makes the backend, which is not yet connected."""


def check_key(namespace: str, key: str) -> None:
    """Raise ValueError unless the namespace is known and the key is one that every backend can hold."""
    if namespace in NAMESPACES and key.isascii() and 0 < len(key) <= MAX_KEY_BYTES and "\0" not in key:
        return
    check_namespace(namespace)
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
