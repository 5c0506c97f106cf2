"""A store that fails when it is told to."""

from collections.abc import Sequence
from datetime import timedelta

from storage.backends.memory import MemoryBackend
from storage.base import Entry, Status
from storage.errors import Unavailable


class FailingBackend(MemoryBackend):
    """A store in memory; while `down` is set every operation raises Unavailable. `calls` counts all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.calls = 0
        self.failures = 0

    def status(self) -> Status:
        return Status({"reads": self.failures, "writes": 0}, ("reads and writes",) if self.down else ())

    def _check(self) -> None:
        self.calls += 1
        if self.down:
            self.failures += 1
            raise Unavailable("the store was told to fail")

    def get(self, namespace: str, key: str) -> Entry | None:
        self._check()
        return super().get(namespace, key)

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        self._check()
        return super().get_many(namespace, keys)

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        self._check()
        super().put(namespace, key, value, ttl)

    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        self._check()
        return super().add(namespace, key, value, ttl)

    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        self._check()
        super().replace(namespace, key, value, version, ttl)

    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        self._check()
        return super().increment(namespace, key, amount, ttl)

    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        self._check()
        return super().counter(namespace, key)

    def ping(self) -> None:
        self._check()
