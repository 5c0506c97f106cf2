"""What every backend does with a ttl. Time is moved, not waited for."""

from datetime import timedelta

import pytest

from storage.base import Backend
from storage.errors import Conflict
from tests.contracts.backend_store import Store, StoreFixture

VALUE = b'{"a": 1}'
OTHER = b'{"b": 2}'
MINUTE = timedelta(minutes=1)
FOREVER = timedelta(days=400)


class ExpiryContract(StoreFixture):
    """An entry lives for its ttl, and is absent for every method two seconds after it."""

    def test_lives_until_its_ttl(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE, MINUTE)
        store.move(59)
        assert backend.get("results", store.key("k")) is not None
        store.move(3)
        assert backend.get("results", store.key("k")) is None
        assert backend.get_many("results", [store.key("k")]) == {}

    @pytest.mark.parametrize("ttl", [timedelta(days=31), timedelta(days=400)])
    def test_long_ttl(self, store: Store, backend: Backend, ttl: timedelta) -> None:
        backend.put("results", store.key("k"), VALUE, ttl)
        store.move(ttl.total_seconds() - 60)
        assert backend.get("results", store.key("k")) is not None
        store.move(62)
        assert backend.get("results", store.key("k")) is None

    @pytest.mark.parametrize("ttl", [timedelta(milliseconds=200), timedelta(microseconds=1)])
    def test_sub_second_ttl_ends(self, store: Store, backend: Backend, ttl: timedelta) -> None:
        backend.put("results", store.key("k"), VALUE, ttl)
        store.pass_time(ttl)
        assert backend.get("results", store.key("k")) is None

    def test_no_ttl_never_ends(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE)
        store.pass_time(FOREVER)
        assert backend.get("results", store.key("k")) is not None

    def test_put_without_ttl_drops_the_earlier_one(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE, MINUTE)
        backend.put("results", store.key("k"), OTHER)
        store.pass_time(MINUTE)
        assert backend.get("results", store.key("k")) is not None

    def test_add_takes_the_place_of_an_expired_entry(self, store: Store, backend: Backend) -> None:
        assert backend.add("keys", store.key("k"), VALUE, MINUTE) is True
        assert backend.add("keys", store.key("k"), OTHER, MINUTE) is False
        store.pass_time(MINUTE)
        assert backend.add("keys", store.key("k"), OTHER, MINUTE) is True
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        assert entry.value == OTHER

    def test_replace_sets_the_ttl(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), VALUE)
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        backend.replace("keys", store.key("k"), OTHER, entry.version, MINUTE)
        store.pass_time(MINUTE)
        assert backend.get("keys", store.key("k")) is None

    def test_replace_of_an_expired_entry_conflicts(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), VALUE, MINUTE)
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        store.pass_time(MINUTE)
        with pytest.raises(Conflict):
            backend.replace("keys", store.key("k"), OTHER, entry.version)
        assert backend.get("keys", store.key("k")) is None

    def test_remove_of_an_expired_entry(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE, MINUTE)
        store.pass_time(MINUTE)
        assert backend.remove("results", store.key("k")) is False

    def test_counter_keeps_its_first_ttl(self, store: Store, backend: Backend) -> None:
        assert backend.increment("limits", store.key("c"), 2, MINUTE) == 2
        store.move(50)
        assert backend.increment("limits", store.key("c"), 1, FOREVER) == 3
        store.move(12)
        assert backend.counter("limits", store.key("c")) == (0, None)
        assert backend.increment("limits", store.key("c"), 1, MINUTE) == 1

    def test_counter_tells_its_expiry(self, store: Store, backend: Backend) -> None:
        started = store.now()
        backend.increment("limits", store.key("c"), 1, MINUTE)
        value, expires_at = backend.counter("limits", store.key("c"))
        assert value == 1
        assert expires_at is not None
        assert started + 59 <= expires_at <= store.now() + 62

    def test_scan_leaves_out_the_expired(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("short"), VALUE, MINUTE)
        backend.put("results", store.key("long"), VALUE)
        assert len(list(backend.scan("results", store.key("")))) == 2
        store.pass_time(MINUTE)
        assert [key for key, _ in backend.scan("results", store.key(""))] == [store.key("long")]
