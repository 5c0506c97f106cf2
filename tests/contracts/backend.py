"""The contract of storage.base.Backend, apart from expiry and concurrency."""

import json
from datetime import timedelta

import pytest

from storage.base import MAX_KEY_BYTES, NAMESPACES, Backend
from storage.errors import Conflict, Corrupt
from tests.contracts.backend_store import Store, StoreFixture

VALUE = b'{"a": 1}'
OTHER = b'{"b": [true, null, "x"]}'
ODD_KEYS = ("a b", "a/b/c", "%41", "é", "漢字", "'\"; --", "*?[a]", "_%", "\t", "\U0001f600")


class BackendContract(StoreFixture):
    """Every backend passes this over the real thing."""

    def test_absent_key_gives_none(self, store: Store, backend: Backend) -> None:
        assert backend.get("results", store.key("absent")) is None

    def test_put_then_get_gives_the_same_bytes(self, store: Store, backend: Backend) -> None:
        value = json.dumps({"t": 'naïve "quoted" \\ \U0001f600', "n": [1, 2.5, -0.1]}, ensure_ascii=False).encode()
        backend.put("results", store.key("k"), value)
        entry = backend.get("results", store.key("k"))
        assert entry is not None
        assert entry.value == value
        assert entry.version != 0

    @pytest.mark.parametrize("value", [b"{}", b' { "spaced" : 1 } ', b'{"expires_at": 1, "value": {}}'])
    def test_any_json_object_survives_unchanged(self, store: Store, backend: Backend, value: bytes) -> None:
        backend.put("jobs", store.key("k"), value)
        entry = backend.get("jobs", store.key("k"))
        assert entry is not None
        assert entry.value == value

    def test_large_value(self, store: Store, backend: Backend) -> None:
        value = json.dumps({"text": "x" * 1_000_000}).encode()
        backend.put("results", store.key("large"), value)
        entry = backend.get("results", store.key("large"))
        assert entry is not None
        assert entry.value == value

    def test_put_overwrites_with_another_version(self, store: Store, backend: Backend) -> None:
        versions = set()
        for value in (VALUE, OTHER, OTHER):
            backend.put("results", store.key("k"), value)
            entry = backend.get("results", store.key("k"))
            assert entry is not None
            assert entry.value == value
            versions.add(entry.version)
        assert len(versions) == 3

    def test_namespaces_are_apart(self, store: Store, backend: Backend) -> None:
        for namespace in NAMESPACES:
            backend.put(namespace, store.key("k"), json.dumps({"in": namespace}).encode())
        for namespace in NAMESPACES:
            entry = backend.get(namespace, store.key("k"))
            assert entry is not None
            assert json.loads(entry.value) == {"in": namespace}

    @pytest.mark.parametrize("name", ODD_KEYS)
    def test_odd_keys(self, store: Store, backend: Backend, name: str) -> None:
        backend.put("results", store.key(name), VALUE)
        assert set(backend.get_many("results", [store.key(name), store.key("other")])) == {store.key(name)}
        assert backend.remove("results", store.key(name)) is True

    def test_keys_differ_by_case_and_normal_form(self, store: Store, backend: Backend) -> None:
        for name in ("key", "KEY", "\u00e9", "e\u0301"):
            assert backend.add("results", store.key(name), VALUE) is True

    def test_longest_key(self, store: Store, backend: Backend) -> None:
        key = store.key("k").ljust(MAX_KEY_BYTES, "x")
        backend.put("results", key, VALUE)
        assert backend.get("results", key) is not None

    @pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_BYTES + 1), "é" * 124, "a\0b", "\ud800"])
    def test_impossible_keys_are_refused_everywhere(self, backend: Backend, key: str) -> None:
        calls = (
            lambda: backend.get("results", key),
            lambda: backend.get_many("results", [key]),
            lambda: backend.put("results", key, VALUE),
            lambda: backend.add("results", key, VALUE),
            lambda: backend.replace("results", key, VALUE, 1),
            lambda: backend.remove("results", key),
            lambda: backend.increment("results", key),
            lambda: backend.counter("results", key),
        )
        for call in calls:
            with pytest.raises(ValueError):
                call()

    def test_unknown_namespace_is_refused(self, store: Store, backend: Backend) -> None:
        with pytest.raises(ValueError, match="elsewhere"):
            backend.get("elsewhere", store.key("k"))
        with pytest.raises(ValueError, match="elsewhere"):
            backend.put("elsewhere", store.key("k"), VALUE)

    def test_get_many_leaves_out_the_absent(self, store: Store, backend: Backend) -> None:
        present = [store.key(f"k{n}") for n in range(30)]
        for key in present:
            backend.put("results", key, json.dumps({"key": key}).encode())
        found = backend.get_many("results", [*present, store.key("absent"), present[0]])
        assert {key: json.loads(entry.value)["key"] for key, entry in found.items()} == {key: key for key in present}

    def test_get_many_of_nothing(self, backend: Backend) -> None:
        assert backend.get_many("results", []) == {}

    def test_get_many_gives_usable_versions(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), VALUE)
        entry = backend.get_many("keys", [store.key("k")])[store.key("k")]
        backend.replace("keys", store.key("k"), OTHER, entry.version)
        changed = backend.get("keys", store.key("k"))
        assert changed is not None
        assert changed.value == OTHER

    def test_add_only_once(self, store: Store, backend: Backend) -> None:
        assert backend.add("keys", store.key("k"), VALUE) is True
        assert backend.add("keys", store.key("k"), OTHER) is False
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        assert entry.value == VALUE

    def test_add_after_remove(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), VALUE)
        backend.remove("keys", store.key("k"))
        assert backend.add("keys", store.key("k"), OTHER) is True

    def test_replace_with_the_version_read(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), VALUE)
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        backend.replace("keys", store.key("k"), OTHER, entry.version)
        with pytest.raises(Conflict):
            backend.replace("keys", store.key("k"), VALUE, entry.version)
        changed = backend.get("keys", store.key("k"))
        assert changed is not None
        assert changed.value == OTHER
        assert changed.version != entry.version

    def test_replace_of_an_absent_key_conflicts(self, store: Store, backend: Backend) -> None:
        with pytest.raises(Conflict):
            backend.replace("keys", store.key("absent"), VALUE, 1)
        assert backend.get("keys", store.key("absent")) is None

    def test_a_version_does_not_come_back_after_removal(self, store: Store, backend: Backend) -> None:
        backend.put("keys", store.key("k"), VALUE)
        entry = backend.get("keys", store.key("k"))
        assert entry is not None
        backend.remove("keys", store.key("k"))
        backend.put("keys", store.key("k"), VALUE)
        with pytest.raises(Conflict):
            backend.replace("keys", store.key("k"), OTHER, entry.version)

    def test_remove_tells_whether_it_was_there(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE)
        assert backend.remove("results", store.key("k")) is True
        assert backend.remove("results", store.key("k")) is False
        assert backend.get("results", store.key("k")) is None

    def test_counter_starts_at_the_amount(self, store: Store, backend: Backend) -> None:
        assert backend.counter("limits", store.key("c")) == (0, None)
        assert backend.increment("limits", store.key("c"), 3) == 3
        assert backend.increment("limits", store.key("c")) == 4
        assert backend.increment("limits", store.key("c"), 10) == 14
        assert backend.counter("limits", store.key("c")) == (14, None)

    def test_removed_counter_starts_anew(self, store: Store, backend: Backend) -> None:
        backend.increment("limits", store.key("c"), 5)
        assert backend.remove("limits", store.key("c")) is True
        assert backend.increment("limits", store.key("c"), 2) == 2

    @pytest.mark.parametrize("amount", [0, -1])
    def test_amount_below_one_is_refused(self, store: Store, backend: Backend, amount: int) -> None:
        with pytest.raises(ValueError):
            backend.increment("limits", store.key("c"), amount)
        assert backend.counter("limits", store.key("c")) == (0, None)

    def test_values_and_counters_are_not_mixed_up(self, store: Store, backend: Backend) -> None:
        backend.put("limits", store.key("value"), VALUE)
        backend.increment("limits", store.key("counter"))
        with pytest.raises(Corrupt):
            backend.increment("limits", store.key("value"))
        with pytest.raises(Corrupt):
            backend.counter("limits", store.key("value"))
        with pytest.raises(Corrupt):
            backend.get("limits", store.key("counter"))
        with pytest.raises(Corrupt):
            backend.get_many("limits", [store.key("value"), store.key("counter")])
        entry = backend.get("limits", store.key("value"))
        assert entry is not None
        assert entry.value == VALUE

    def test_put_replaces_a_counter(self, store: Store, backend: Backend) -> None:
        backend.increment("limits", store.key("k"))
        backend.put("limits", store.key("k"), VALUE)
        entry = backend.get("limits", store.key("k"))
        assert entry is not None
        assert entry.value == VALUE

    @pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
    def test_ttl_that_is_not_positive_is_refused(self, store: Store, backend: Backend, ttl: timedelta) -> None:
        backend.put("results", store.key("k"), VALUE)
        calls = (
            lambda: backend.put("results", store.key("n"), VALUE, ttl),
            lambda: backend.add("results", store.key("n"), VALUE, ttl),
            lambda: backend.replace("results", store.key("k"), OTHER, 1, ttl),
            lambda: backend.increment("results", store.key("n"), 1, ttl),
        )
        for call in calls:
            with pytest.raises(ValueError):
                call()
        assert backend.get("results", store.key("n")) is None

    def test_ping(self, backend: Backend) -> None:
        for _ in range(2):
            backend.ping()
        assert backend.get("results", "after a ping") is None

    def test_close_may_be_repeated_and_undone(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE)
        backend.close()
        backend.close()
        assert backend.get("results", store.key("k")) is not None

    def test_replicas_see_each_other(self, store: Store, backend: Backend) -> None:
        replica = store.replica()
        try:
            backend.put("results", store.key("k"), VALUE)
            entry = replica.get("results", store.key("k"))
            assert entry is not None
            replica.replace("results", store.key("k"), OTHER, entry.version)
            assert replica.increment("limits", store.key("c")) == 1
        finally:
            replica.close()
        changed = backend.get("results", store.key("k"))
        assert changed is not None
        assert changed.value == OTHER
        assert backend.increment("limits", store.key("c")) == 2

    def test_a_call_that_was_answered_is_no_failure(self, store: Store, backend: Backend) -> None:
        backend.put("results", store.key("k"), VALUE)
        with pytest.raises(Conflict):
            backend.replace("results", store.key("k"), OTHER, 2**40)
        with pytest.raises(Corrupt):
            backend.counter("results", store.key("k"))
        assert backend.get("results", store.key("absent")) is None
        assert backend.status().out == ()
        assert set(backend.status().errors.values()) == {0}

    def test_says_what_it_is(self, backend: Backend) -> None:
        assert backend.shared in (True, False)
        assert all(name and number for name, number in backend.versions().items())

    def test_scan_lists_by_prefix(self, store: Store, backend: Backend) -> None:
        names = ["a/1", "a/2", "a_1", "a%", "A/1", "b/1", "a/é"]
        for name in names:
            backend.put("results", store.key(name), json.dumps({"name": name}).encode())
        backend.put("jobs", store.key("a/3"), VALUE)
        backend.increment("results", store.key("a/counter"))
        found = dict(backend.scan("results", store.key("a/")))
        assert set(found) == {store.key(name) for name in names if name.startswith("a/")}
        assert all(json.loads(entry.value)["name"] == key.partition("/")[2] for key, entry in found.items())
        assert {store.key(name) for name in names} <= set(dict(backend.scan("results")))

    def test_scan_of_more_than_a_page_while_removing(self, store: Store, backend: Backend) -> None:
        for n in range(1200):
            backend.put("results", store.key(f"{n:05}"), VALUE)
        seen = []
        for key, entry in backend.scan("results", store.key("")):
            seen.append(key)
            assert entry.value == VALUE
            assert backend.remove("results", key) is True
        assert sorted(seen) == [store.key(f"{n:05}") for n in range(1200)]
        assert list(backend.scan("results", store.key(""))) == []

    def test_scan_of_an_unknown_namespace_is_refused(self, backend: Backend) -> None:
        with pytest.raises(ValueError, match="elsewhere"):
            list(backend.scan("elsewhere"))
