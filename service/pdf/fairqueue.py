"""Who goes next: owners take turns for a few places, and share a bounded queue."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from service.pdf.errors import PdfBusy


class _State(Enum):
    WAITS = auto()
    CALLED = auto()
    PUT_OUT = auto()


class _Waiter:
    def __init__(self) -> None:
        self.told = threading.Event()
        self.state = _State.WAITS

    def tell(self, state: _State) -> None:
        self.state = state
        self.told.set()


class FairQueue:
    """`places` may be held at once; `room` callers more may wait, those of one owner in the order in which they came.

    Owners take turns, so that one with many callers delays another by one turn. Where the queue is full, the newest
    caller of the owner with the most makes room for an owner with fewer. Thread safe.
    """

    def __init__(self, places: int, room: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._room = room
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        """Of each owner with somebody who waits; whose turn was longest ago is first."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        with self._lock:
            return self._length()

    @contextmanager
    def place(self, owner: str, seconds: float) -> Iterator[None]:
        """Holds a place. Raises PdfBusy when there is no room, or no place within `seconds`."""
        waiter = self._enter(owner)
        if waiter is not None:
            waiter.told.wait(seconds)
            if self._leave(owner, waiter) is not _State.CALLED:
                raise PdfBusy
        try:
            yield
        finally:
            self._call_next()

    def _length(self) -> int:
        return sum(map(len, self._queues.values()))

    def _enter(self, owner: str) -> _Waiter | None:
        """None for one who has a place at once."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if self._length() >= self._room:
                self._make_room(owner)
            waiter = _Waiter()
            self._queues.setdefault(owner, deque()).append(waiter)
            return waiter

    def _make_room(self, owner: str) -> None:
        """Puts out one of the owner with the most, if `owner` has fewer even with this one more."""
        most = max(self._queues, key=lambda name: len(self._queues[name]), default=owner)
        if len(self._queues.get(most, ())) <= len(self._queues.get(owner, ())) + 1:
            raise PdfBusy
        self._queues[most].pop().tell(_State.PUT_OUT)

    def _leave(self, owner: str, waiter: _Waiter) -> _State:
        with self._lock:
            if waiter.state is _State.WAITS:
                self._queues[owner].remove(waiter)
                self._forget_if_empty(owner)
            return waiter.state

    def _call_next(self) -> None:
        with self._lock:
            if not self._queues:
                self._free += 1
                return
            owner, queue = next(iter(self._queues.items()))
            queue.popleft().tell(_State.CALLED)
            self._queues.move_to_end(owner)
            self._forget_if_empty(owner)

    def _forget_if_empty(self, owner: str) -> None:
        if not self._queues[owner]:
            del self._queues[owner]
