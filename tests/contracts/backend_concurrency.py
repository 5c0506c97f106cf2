"""What every backend promises to threads, replicas and forks at once."""

import gc
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from storage.base import Backend
from storage.errors import Conflict
from tests.contracts.backend_store import Store, StoreFixture
from tests.contracts.backend_wait import exit_status

T = TypeVar("T")

THREADS = 6
ROUNDS = 25
VALUE = b'{"a": 1}'


class ConcurrencyContract(StoreFixture):
    """Atomic operations stay atomic whoever calls them."""

    def test_one_add_wins(self, store: Store, backend: Backend) -> None:
        won = _together(lambda n: backend.add("keys", store.key("k"), json.dumps({"by": n}).encode()))
        assert won.count(True) == 1
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        assert json.loads(entry.value) == {"by": won.index(True)}

    def test_no_increment_is_lost_or_seen_twice(self, store: Store, backend: Backend) -> None:
        def count(_: int) -> list[int]:
            return [backend.increment("limits", store.key("c")) for _ in range(ROUNDS)]

        seen = [value for values in _together(count) for value in values]
        assert sorted(seen) == list(range(1, THREADS * ROUNDS + 1))

    def test_no_replacement_is_lost(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), b'{"n": 0}')

        def add_one() -> bool:
            while True:
                entry = backend.get("keys", store.key("k"))
                assert entry is not None
                value = json.dumps({"n": json.loads(entry.value)["n"] + 1}).encode()
                try:
                    backend.replace("keys", store.key("k"), value, entry.version)
                except Conflict:
                    continue
                return True

        _together(lambda _: [add_one() for _ in range(5)])
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        assert json.loads(entry.value) == {"n": THREADS * 5}

    def test_readers_never_see_half_a_write(self, store: Store, backend: Backend) -> None:
        values = [json.dumps({"n": n, "fill": str(n) * 5000}).encode() for n in range(THREADS)]
        backend.put("results", store.key("k"), values[0])

        def write_and_read(n: int) -> bool:
            for _ in range(ROUNDS):
                backend.put("results", store.key("k"), values[n])
                entry = backend.get("results", store.key("k"))
                if entry is None or entry.value not in values:
                    return False
            return True

        assert _together(write_and_read) == [True] * THREADS

    def test_both_sides_of_a_fork(self, store: Store, backend: Backend) -> None:
        replica = store.replica()
        replica.put("results", store.key("before"), VALUE)
        replica.close()
        backend.close()
        child = os.fork()
        if child == 0:
            os._exit(_in_child(replica, store))
        try:
            assert exit_status(child) == 0
            assert replica.get("results", store.key("in child")) is not None
            assert replica.increment("limits", store.key("c")) == 2
        finally:
            replica.close()


def _in_child(backend: Backend, store: Store) -> int:
    """0 when everything works in the forked process; the parent reads it as the exit status."""
    gc.disable()  # what earlier tests have left behind must not be freed here: Couchbase's SDK would wait for threads
    try:
        if backend.get("results", store.key("before")) is None:
            return 3
        backend.put("results", store.key("in child"), VALUE)
        if backend.increment("limits", store.key("c")) != 1:
            return 4
        backend.close()
    except BaseException:  # noqa: BLE001 (nothing may get out of the child but its status)
        return 5
    return 0


def _together(work: Callable[[int], T]) -> list[T]:
    """Run work(0), work(1) ... in threads that start at the same moment; their results in order."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> T:
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))
