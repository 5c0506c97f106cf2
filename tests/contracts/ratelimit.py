"""The contract of rate limits over every backend: as `limits` and flask-limiter use them."""

import gc
import os
import struct
from collections.abc import Callable, Iterator

import flask
import pytest
from flask_limiter import Limiter
from limits import RateLimitItemPerDay, RateLimitItemPerMinute, RateLimitItemPerSecond, RateLimitItemPerYear
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from service.access.leases import LeasedWindows
from storage.base import Backend
from storage.errors import StorageError
from storage.ratelimit import BackendStorage
from tests.contracts.backend_store import Clock, Store, StoreFixture
from tests.contracts.backend_wait import exit_status

PROCESSES = 2


class RateLimitContract(StoreFixture):
    """Fixed windows, counted exactly, shared by all replicas."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The storage's own clock, at the beginning of a day; windows are its, expiry is the backend's."""
        clock = Clock()
        clock.time -= clock.time % 86400
        return clock

    @pytest.fixture
    def storage(self, store: Store, clock: Clock) -> Iterator[BackendStorage]:
        storage = BackendStorage(backend=store.backend, now=clock)
        yield storage
        store.backend.remove("limits", "generations")

    def test_counts_up_to_the_limit(self, store: Store, storage: BackendStorage) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(3)
        assert [limiter.hit(item, store.marker) for _ in range(5)] == [True, True, True, False, False]
        assert limiter.test(item, store.marker) is False
        assert limiter.hit(item, store.marker, "another") is True

    def test_cost(self, store: Store, storage: BackendStorage) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(10)
        assert limiter.hit(item, store.marker, cost=7) is True
        assert limiter.test(item, store.marker, cost=3) is True
        assert limiter.test(item, store.marker, cost=4) is False
        assert limiter.hit(item, store.marker, cost=0) is True
        assert limiter.get_window_stats(item, store.marker).remaining == 3

    def test_window_ends_with_the_clock(self, store: Store, storage: BackendStorage, clock: Clock) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(1, 5)
        clock.advance(200)
        assert limiter.hit(item, store.marker) is True
        assert limiter.get_window_stats(item, store.marker).reset_time == clock() + 100
        clock.advance(99.9)
        assert limiter.hit(item, store.marker) is False
        clock.advance(0.1)
        assert limiter.hit(item, store.marker) is True
        assert limiter.get_window_stats(item, store.marker) == (clock() + 300, 0)

    def test_a_second_is_a_second(self, store: Store, storage: BackendStorage, clock: Clock) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerSecond(2)
        for _ in range(3):
            assert [limiter.hit(item, store.marker) for _ in range(3)] == [True, True, False]
            clock.advance(1)

    def test_limits_on_one_thing_do_not_mix(self, store: Store, storage: BackendStorage) -> None:
        limiter = FixedWindowRateLimiter(storage)
        assert limiter.hit(RateLimitItemPerMinute(1), store.marker) is True
        assert limiter.hit(RateLimitItemPerDay(1), store.marker) is True
        assert limiter.hit(RateLimitItemPerMinute(1), store.marker) is False

    def test_clear_forgets_one(self, store: Store, storage: BackendStorage) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(1)
        limiter.hit(item, store.marker, "a")
        limiter.hit(item, store.marker, "b")
        limiter.clear(item, store.marker, "a")
        assert limiter.hit(item, store.marker, "a") is True
        assert limiter.hit(item, store.marker, "b") is False

    def test_reset_forgets_all(self, store: Store, storage: BackendStorage) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(1)
        for name in "abc":
            limiter.hit(item, store.marker, name)
        assert storage.reset() is None
        assert [limiter.hit(item, store.marker, name) for name in "abc"] == [True] * 3

    @pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800", "漢字" * 300, ""])
    def test_any_key(self, store: Store, storage: BackendStorage, name: str) -> None:
        limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(1)
        assert [limiter.hit(item, store.marker, name) for _ in range(2)] == [True, False]

    @pytest.mark.parametrize("form", ["{}", "{}/minute", "{}/0/minute", "{}/x/minute", "{}/2/fortnight"])
    def test_key_that_names_no_window(self, store: Store, storage: BackendStorage, form: str) -> None:
        key = form.format(store.marker)
        assert storage.get(key) == 0
        assert storage.get_expiry(key) == storage.now()
        assert [storage.incr(key, 60), storage.incr(key, 60, amount=4)] == [1, 5]
        assert storage.get(key) == 5
        assert store.now() + 59 <= storage.get_expiry(key) <= store.now() + 62
        storage.clear(key)
        assert storage.get(key) == 0

    def test_window_of_such_a_key_ends(self, store: Store, storage: BackendStorage) -> None:
        storage.incr(store.marker, 60)
        store.move(62)
        assert storage.get(store.marker) == 0

    def test_counters_do_not_stay(self, store: Store, storage: BackendStorage) -> None:
        item = RateLimitItemPerMinute(5)
        storage.incr(item.key_for(store.marker), 60)
        key = storage._at(item.key_for(store.marker), 60)
        assert store.backend.counter("limits", key)[0] == 1
        store.move(62)
        assert store.backend.counter("limits", key) == (0, None)

    def test_check(self, storage: BackendStorage) -> None:
        assert storage.check() is True
        assert storage.base_exceptions is StorageError

    def test_processes_share_a_limit(self, store: Store) -> None:
        if store.another is None:
            pytest.skip("this store is not shared")
        item, tries = RateLimitItemPerYear(50), 40
        store.backend.close()  # not every driver survives a fork
        allowed = [_count_in_child(store.another, item, store.marker, tries) for _ in range(PROCESSES)]
        assert sum(finish() for finish in allowed) == 50

    @pytest.mark.parametrize("quota", [50, 1000])
    def test_processes_share_a_limit_in_leases(self, store: Store, quota: int) -> None:
        if store.another is None:
            pytest.skip("this store is not shared")
        item = RateLimitItemPerYear(quota)
        store.backend.close()  # not every driver survives a fork
        allowed = [_count_in_child(store.another, item, store.marker, quota, LeasedWindows) for _ in range(PROCESSES)]
        assert quota - PROCESSES * (quota // 32) <= sum(finish() for finish in allowed) <= quota

    def test_flask_limiter_takes_a_backend(self, store: Store) -> None:
        app = flask.Flask(__name__)
        limiter = Limiter(
            lambda: store.marker,
            app=app,
            storage_uri="sqlite://",
            storage_options={"backend": store.backend},  # type: ignore[dict-item]
            headers_enabled=True,
        )

        @app.get("/")
        @limiter.limit("2/year")
        def view() -> str:
            return "ok"

        client = app.test_client()
        responses = [client.get("/") for _ in range(3)]
        assert [response.status_code for response in responses] == [200, 200, 429]
        assert [response.headers["X-RateLimit-Remaining"] for response in responses] == ["1", "0", "0"]


def _count_in_child(
    another: Callable[[], Backend],
    item: RateLimitItemPerYear,
    name: str,
    tries: int,
    strategy: Callable[[BackendStorage], RateLimiter] = FixedWindowRateLimiter,
) -> Callable[[], int]:
    """Hit the limit in a forked process; the returned function waits for it and says how many hits were allowed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        gc.disable()  # what earlier tests left behind must not be freed here: Couchbase's SDK would wait for threads
        status = 1
        try:
            backend = another()
            limiter = strategy(BackendStorage(backend=backend))
            os.write(writer, struct.pack("i", sum(limiter.hit(item, name) for _ in range(tries))))
            backend.close()
            status = 0
        finally:
            os._exit(status)

    def finish() -> int:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert exit_status(child) == 0
            (number,) = struct.unpack("i", pipe.read())
        return int(number)

    return finish
