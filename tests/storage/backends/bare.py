"""A backend that can neither count nor list, as not every store can."""

from collections.abc import Sequence
from datetime import timedelta

from storage.backends.memory import MemoryBackend
from storage.base import Backend, Entry


class BareBackend(Backend):
    """Dictionaries, without the capabilities."""

    def __init__(self) -> None:
        self.inner = MemoryBackend()

    def get(self, namespace: str, key: str) -> Entry | None:
        return self.inner.get(namespace, key)

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        return self.inner.get_many(namespace, keys)

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        self.inner.put(namespace, key, value, ttl)

    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        return self.inner.add(namespace, key, value, ttl)

    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        self.inner.replace(namespace, key, value, version, ttl)

    def remove(self, namespace: str, key: str) -> bool:
        return self.inner.remove(namespace, key)

    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        return self.inner.increment(namespace, key, amount, ttl)

    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        return self.inner.counter(namespace, key)

    def touch(self, namespace: str, key: str, ttl: timedelta | None) -> bool:
        return self.inner.touch(namespace, key, ttl)

    def ping(self) -> None:
        self.inner.ping()

    def close(self) -> None:
        self.inner.close()
