"""The backend without persistence: dictionaries in this process, for trying things out and for tests."""

import heapq
import itertools
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import SplitResult

from storage.base import (
    NAMESPACES,
    Backend,
    Entry,
    Options,
    Status,
    check_amount,
    check_key,
    check_namespace,
    check_ttl,
)
from storage.errors import Conflict, Corrupt

PURGE_STEP: Final = 100
"""How many expired entries one write clears away at most."""


def opener(url: SplitResult, options: Options) -> "Callable[[], MemoryBackend]":  # noqa: ARG001
    """For memory://; what follows means nothing. See storage.base.Opener."""
    return MemoryBackend


@dataclass(slots=True)
class _Slot:
    content: bytes | int
    version: int
    expires_at: float | None


class MemoryBackend(Backend):
    """Gone with the process and not shared with its forks. Never Unavailable. `now` gives unix seconds."""

    shared = False
    near = True

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._slots: dict[str, dict[str, _Slot]] = {namespace: {} for namespace in NAMESPACES}
        self._versions = itertools.count(1)
        self._expiring: list[tuple[float, str, str]] = []

    def get(self, namespace: str, key: str) -> Entry | None:
        check_key(namespace, key)
        with self._lock:
            slot = self._live(namespace, key)
            return None if slot is None else _entry(key, slot)

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        with self._lock:
            found = {key: self.get(namespace, key) for key in keys}
        return {key: entry for key, entry in found.items() if entry is not None}

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        with self._lock:
            self._store(namespace, key, value, ttl)

    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        check_key(namespace, key)
        with self._lock:
            if self._live(namespace, key) is not None:
                return False
            self._store(namespace, key, value, ttl)
            return True

    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        with self._lock:
            slot = self._live(namespace, key)
            if slot is None or slot.version != version:
                raise Conflict(f"{namespace}/{key} has changed")
            self._store(namespace, key, value, ttl)

    def remove(self, namespace: str, key: str) -> bool:
        check_key(namespace, key)
        with self._lock:
            live = self._live(namespace, key) is not None
            self._slots[namespace].pop(key, None)
            return live

    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        check_key(namespace, key)
        check_amount(amount)
        check_ttl(ttl)
        with self._lock:
            slot = self._live(namespace, key)
            if slot is None:
                self._store(namespace, key, amount, ttl)
                return amount
            slot.content = _number(key, slot) + amount
            slot.version = next(self._versions)
            return slot.content

    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        check_key(namespace, key)
        with self._lock:
            slot = self._live(namespace, key)
            return (0, None) if slot is None else (_number(key, slot), slot.expires_at)

    def ping(self) -> None:
        return

    def status(self) -> Status:
        return Status({"reads": 0, "writes": 0}, ())

    def versions(self) -> dict[str, str]:
        return {"Python": platform.python_version()}

    def close(self) -> None:
        """Nothing to release; the entries stay until the object goes."""

    def scan(
        self,
        namespace: str,
        prefix: str = "",
        lost: Callable[[str], None] | None = None,  # noqa: ARG002
    ) -> Iterator[tuple[str, Entry]]:
        check_namespace(namespace)
        with self._lock:
            keys = [key for key in self._slots[namespace] if key.startswith(prefix)]
        for key in keys:
            with self._lock:
                slot = self._live(namespace, key)
                entry = None if slot is None or isinstance(slot.content, int) else Entry(slot.content, slot.version)
            if entry is not None:
                yield key, entry

    def _live(self, namespace: str, key: str) -> _Slot | None:
        slot = self._slots[namespace].get(key)
        return None if slot is None or _over(slot, self._now()) else slot

    def _store(self, namespace: str, key: str, content: bytes | int, ttl: timedelta | None) -> None:
        seconds = check_ttl(ttl)
        expires_at = None if seconds is None else self._now() + seconds
        self._slots[namespace][key] = _Slot(content, next(self._versions), expires_at)
        if expires_at is not None:
            heapq.heappush(self._expiring, (expires_at, namespace, key))
        self._purge()

    def _purge(self) -> None:
        now = self._now()
        for _ in range(PURGE_STEP):
            if not self._expiring or self._expiring[0][0] > now:
                return
            _, namespace, key = heapq.heappop(self._expiring)
            slot = self._slots[namespace].get(key)
            if slot is not None and _over(slot, now):
                del self._slots[namespace][key]


def _over(slot: _Slot, now: float) -> bool:
    return slot.expires_at is not None and slot.expires_at <= now


def _entry(key: str, slot: _Slot) -> Entry:
    if isinstance(slot.content, int):
        raise Corrupt(f"{key} is a counter, not a value")
    return Entry(slot.content, slot.version)


def _number(key: str, slot: _Slot) -> int:
    if isinstance(slot.content, bytes):
        raise Corrupt(f"{key} is a value, not a counter")
    return slot.content
