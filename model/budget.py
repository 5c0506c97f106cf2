"""Keeps the models that are loaded at once within a limit of memory."""

import threading
import time
from collections import OrderedDict
from typing import Protocol

from model.errors import ModelUnavailable, Overloaded


class Loaded(Protocol):
    """A model that can be asked to leave."""

    def unload(self, timeout: float) -> bool:
        """Free the memory once the text that runs has ended; False when that took longer than `timeout` seconds."""


class MemoryBudget:
    """Which models are loaded, and in what order they last ran. Thread safe.

    A model that runs is never unloaded; one that has to load waits for it.
    """

    def __init__(self, limit: int) -> None:
        """`limit` in bytes; 0: none."""
        self._limit = limit
        self._admission = threading.Lock()  # one model makes room at a time
        self._order_lock = threading.Lock()  # guards the dictionary; never held while waiting
        self._order: OrderedDict[Loaded, int] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes that the loaded models are taken to need."""
        with self._order_lock:
            return sum(self._order.values())

    def admit(self, model: Loaded, name: str, need: int, timeout: float) -> None:
        """Make room for a model that is about to load, unloading those that ran longest ago.

        ModelUnavailable when it does not fit even alone; Overloaded when others run for longer than `timeout` seconds.
        """
        if self._limit and need > self._limit:
            mib = -(-need // (1 << 20))
            reason = f"it needs about {mib} MiB, and {self._limit >> 20} MiB is the limit"
            raise ModelUnavailable(name, "too large", reason, need)
        until = time.monotonic() + timeout
        if not self._admission.acquire(timeout=timeout):
            raise Overloaded("other models are loading", retry_after=timeout)
        try:
            while self._limit and self.used + need > self._limit:
                self._evict(until, timeout)
            with self._order_lock:
                self._order[model] = need
        finally:
            self._admission.release()

    def touch(self, model: Loaded) -> None:
        """The model has run."""
        with self._order_lock:
            if model in self._order:
                self._order.move_to_end(model)

    def forget(self, model: Loaded) -> None:
        """The model is no longer loaded."""
        with self._order_lock:
            self._order.pop(model, None)

    def _evict(self, until: float, timeout: float) -> None:
        """Unload the first that is idle, in the order in which they last ran; with none idle wait for the first."""
        with self._order_lock:
            candidates = list(self._order)
        for model in candidates:
            if model.unload(0):
                self.forget(model)
                return
        if not candidates[0].unload(max(0.0, until - time.monotonic())):
            raise Overloaded("all models that are loaded are busy, and there is no memory for one more", timeout)
        self.forget(candidates[0])
