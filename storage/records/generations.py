"""Whole groups of entries made unreachable at once: a number in their keys, kept in one document."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from storage.base import Backend
from storage.errors import Corrupt, Unavailable
from storage.records.documents import Document, decode, update

KEY: Final = "generations"


class Generations:
    """The present generation of each name in a namespace, 0 for one never bumped.

    The document is cached for `ttl`, so a bump elsewhere is seen that much later; one made here is seen at once. While
    the store does not give it, the last one known holds on. `clock` gives seconds that never go back. Every method may
    raise Unavailable where none is known; Corrupt if the document is damaged, since guessing a generation could bring
    back what was purged.
    """

    def __init__(
        self, backend: Backend, namespace: str, ttl: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend = backend
        self._namespace = namespace
        self._ttl = ttl.total_seconds()
        self._clock = clock
        self._cached: tuple[float, dict[str, int]] | None = None

    def current(self, name: str) -> int:
        """The generation of `name`, at most `ttl` and the time of a read old."""
        cached = self._cached
        if cached is None or self._clock() >= cached[0]:
            return (self.refresh() if cached is None else self._renewed(cached[1])).get(name, 0)
        return cached[1].get(name, 0)

    def _renewed(self, known: dict[str, int]) -> dict[str, int]:
        # One thread asks; the others go on with what is known, rather than to wait for a store that may be out.
        self._cached = (self._clock() + self._ttl, known)
        try:
            return self.refresh()
        except Unavailable:
            return known

    def refresh(self) -> dict[str, int]:
        """Read the document now; all generations by name."""
        until = self._clock() + self._ttl
        entry = self._backend.get(self._namespace, KEY)
        numbers = {} if entry is None else _checked(decode(entry))
        self._cached = (until, numbers)
        return numbers

    def bump(self, name: str) -> int:
        """Begin a new generation, for everyone; returns it."""

        def next_one(document: Document | None) -> Document:
            numbers = _checked(document or {})
            return {**numbers, name: numbers.get(name, 0) + 1}

        until = self._clock() + self._ttl
        numbers = update(self._backend, self._namespace, KEY, next_one)
        self._cached = (until, numbers)
        return int(numbers[name])


def _checked(document: Document) -> dict[str, int]:
    if not all(type(number) is int and number >= 0 for number in document.values()):
        raise Corrupt(f"the document {KEY!r} holds something other than numbers")
    return document
