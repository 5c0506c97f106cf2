"""The contract of API keys over every backend."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import Corrupt, Expired, Malformed, Revoked, Unknown
from storage.records.apikeys import INDEX, Keys
from storage.records.keyformat import format_key, new_id, new_secret, parse_key
from tests.contracts.backend_store import Clock, Store, StoreFixture

DAY = timedelta(days=1)


class KeysContract(StoreFixture):
    """Every backend keeps keys, and what is wrong with a presented one is told apart."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The keys' own clock, which moves even where the store's cannot."""
        return Clock()

    @pytest.fixture
    def keys(self, store: Store, clock: Clock) -> Iterator[Keys]:
        yield Keys(store.backend, now=lambda: datetime.fromtimestamp(clock(), UTC))
        store.backend.remove("keys", INDEX)

    def test_created_key_authenticates(self, keys: Keys) -> None:
        key, text = keys.create("laptop", ["predict", "read"], limit="10/minute", limit_inference="2/second")
        assert keys.authenticate(text) == key
        assert keys.get(key.id) == key
        assert (key.name, key.scopes) == ("laptop", frozenset({"predict", "read"}))
        assert (key.limit, key.limit_inference) == ("10/minute", "2/second")
        assert (key.expires_at, key.revoked_at, key.last_used_at) == (None, None, None)

    def test_neither_key_nor_secret_is_stored(self, store: Store, keys: Keys) -> None:
        key, text = keys.create("laptop", ["read"])
        entry = store.backend.get("keys", f"key/{key.id}")
        assert entry is not None
        assert key.secret_hash.encode() in entry.value
        assert parse_key(text)[1].encode() not in entry.value

    def test_other_secret_for_a_real_id(self, keys: Keys) -> None:
        key, _ = keys.create("laptop", ["read"])
        with pytest.raises(Unknown):
            keys.authenticate(format_key(key.id, new_secret()))

    def test_unknown_key(self, keys: Keys) -> None:
        with pytest.raises(Unknown):
            keys.authenticate(format_key(new_id(), new_secret()))
        assert keys.get(new_id()) is None

    @pytest.mark.parametrize("text", ["", "abs_", "abs_x_y", "Bearer x", "x" * 10_000, "abs_\0_\0"])
    def test_malformed_key(self, keys: Keys, text: str) -> None:
        with pytest.raises(Malformed):
            keys.authenticate(text)

    def test_expired_key(self, keys: Keys, clock: Clock) -> None:
        expiry = datetime.fromtimestamp(clock(), UTC) + DAY
        _, text = keys.create("laptop", ["read"], expires_at=expiry)
        clock.advance(DAY.total_seconds() - 1)
        assert keys.authenticate(text).expires_at == expiry
        clock.advance(1)
        with pytest.raises(Expired):
            keys.authenticate(text)

    def test_revoked_key(self, keys: Keys, clock: Clock) -> None:
        key, text = keys.create("laptop", ["read"])
        revoked = keys.revoke(key.id)
        assert revoked == replace(key, revoked_at=datetime.fromtimestamp(clock(), UTC))
        with pytest.raises(Revoked):
            keys.authenticate(text)
        clock.advance(60)
        assert keys.revoke(key.id) == revoked

    def test_wrong_secret_does_not_tell_that_a_key_was_revoked(self, keys: Keys) -> None:
        key, _ = keys.create("laptop", ["read"])
        keys.revoke(key.id)
        with pytest.raises(Unknown):
            keys.authenticate(format_key(key.id, new_secret()))

    def test_rotated_key(self, keys: Keys) -> None:
        key, old = keys.create("laptop", ["predict"], limit="5/hour")
        rotated, new = keys.rotate(key.id)
        assert rotated == replace(key, secret_hash=rotated.secret_hash)
        assert keys.authenticate(new) == rotated
        with pytest.raises(Unknown):
            keys.authenticate(old)

    def test_the_old_secret_is_good_until_the_grace_is_over(self, keys: Keys, clock: Clock) -> None:
        key, old = keys.create("laptop", ["predict"])
        ends = datetime.fromtimestamp(clock(), UTC) + DAY
        rotated, new = keys.rotate(key.id, DAY)
        assert rotated.previous_until == ends
        assert keys.authenticate(new) == rotated
        assert keys.authenticate(old) == replace(rotated, expires_at=ends)
        clock.advance(DAY.total_seconds())
        with pytest.raises(Expired):
            keys.authenticate(old)
        assert keys.authenticate(new) == rotated

    def test_a_grace_does_not_outlast_key_rotation_or_revocation(self, keys: Keys, clock: Clock) -> None:
        expiry = datetime.fromtimestamp(clock(), UTC) + DAY
        key, first = keys.create("laptop", ["predict"], expires_at=expiry)
        _, second = keys.rotate(key.id, 7 * DAY)
        assert keys.authenticate(first).expires_at == expiry
        keys.rotate(key.id, DAY)
        with pytest.raises(Unknown):
            keys.authenticate(first)
        assert keys.authenticate(second).id == key.id
        keys.revoke(key.id)
        with pytest.raises(Revoked):
            keys.authenticate(second)

    def test_an_update_changes_what_it_names(self, keys: Keys, clock: Clock) -> None:
        key, text = keys.create("laptop", ["predict"], limit="5/hour")
        expiry = datetime.fromtimestamp(clock(), UTC) + DAY
        changed = keys.update(key.id, name="desk", scopes=frozenset({"read"}), limit=None, expires_at=expiry)
        assert changed == replace(key, name="desk", scopes=frozenset({"read"}), limit=None, expires_at=expiry)
        assert keys.authenticate(text) == changed
        with pytest.raises(ValueError, match="scopes"):
            keys.update(key.id, scopes=frozenset({"write"}))
        keys.revoke(key.id)
        with pytest.raises(Revoked):
            keys.update(key.id, name="laptop")

    def test_a_key_is_found_by_id_or_name(self, keys: Keys) -> None:
        first, second = keys.create("laptop", ["read"])[0], keys.create("laptop", ["read"])[0]
        assert keys.find(first.id) == [first]
        assert {key.id for key in keys.find("laptop")} == {first.id, second.id}
        revoked = keys.revoke(first.id)
        assert keys.find("laptop") == [second]
        assert keys.find(first.id) == [revoked]
        keys.revoke(second.id)
        assert len(keys.find("laptop")) == 2
        assert keys.find("desk") == []

    def test_a_revoked_key_is_not_rotated_back_to_life(self, keys: Keys) -> None:
        key, text = keys.create("laptop", ["predict"])
        keys.revoke(key.id)
        with pytest.raises(Revoked):
            keys.rotate(key.id)
        with pytest.raises(Revoked):
            keys.authenticate(text)

    @pytest.mark.parametrize("id", ["", "no such key", "0" * 12, "0" * 300, "index", "\0"])
    def test_changing_an_unknown_key(self, keys: Keys, id: str) -> None:
        assert keys.get(id) is None
        keys.touch_used(id, datetime.now(UTC))
        with pytest.raises(Unknown):
            keys.revoke(id)
        with pytest.raises(Unknown):
            keys.rotate(id)
        with pytest.raises(Unknown):
            keys.update(id, name="x")

    def test_list_is_in_order_of_creation(self, keys: Keys, clock: Clock) -> None:
        assert keys.list() == []
        created = []
        for n in range(5):
            created.append(keys.create(f"key {n}", ["read"])[0])
            clock.advance(1)
        created[2] = keys.revoke(created[2].id)
        assert keys.list() == created

    def test_concurrent_creations_are_all_listed(self, keys: Keys) -> None:
        with ThreadPoolExecutor(6) as pool:
            created = list(pool.map(lambda n: keys.create(f"key {n}", ["read"])[0].id, range(18)))
        assert sorted(key.id for key in keys.list()) == sorted(created)

    def test_last_use_is_noted_every_half_minute_at_most(self, keys: Keys, clock: Clock) -> None:
        key, _ = keys.create("laptop", ["read"])
        first = datetime.fromtimestamp(clock(), UTC)
        for seconds, noted in ((0, 0), (29, 0), (30, 30), (31, 30), (0, 30), (-60, 30)):
            keys.touch_used(key.id, first + timedelta(seconds=seconds))
            stored = keys.get(key.id)
            assert stored is not None
            assert stored.last_used_at == first + timedelta(seconds=noted)

    def test_noting_a_use_keeps_a_revocation(self, keys: Keys) -> None:
        key, text = keys.create("laptop", ["read"])
        keys.revoke(key.id)
        keys.touch_used(key.id, datetime.now(UTC))
        with pytest.raises(Revoked):
            keys.authenticate(text)

    @pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "\x1b[31m"])
    def test_bad_name(self, keys: Keys, name: str) -> None:
        with pytest.raises(ValueError, match="name"):
            keys.create(name, ["read"])
        assert keys.list() == []

    @pytest.mark.parametrize("scopes", [[], ["write"], ["admin"], ["read", "READ"]])
    def test_bad_scopes(self, keys: Keys, scopes: list[str]) -> None:
        with pytest.raises(ValueError, match="scopes"):
            keys.create("laptop", scopes)
        assert keys.list() == []

    @pytest.mark.parametrize("expiry", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1)])
    def test_bad_expiry(self, keys: Keys, expiry: datetime) -> None:
        with pytest.raises(ValueError, match="expiry"):
            keys.create("laptop", ["read"], expires_at=expiry)
        assert keys.list() == []

    @pytest.mark.parametrize("damage", [{"scopes": 5}, {"created_at": None}, {"expires_at": "soon"}])
    def test_damaged_key_fails_closed_and_is_left_out_of_the_list(
        self, store: Store, keys: Keys, damage: dict[str, object]
    ) -> None:
        key, text = keys.create("damaged", ["predict"])
        whole, _ = keys.create("whole", ["read"])
        entry = store.backend.get("keys", f"key/{key.id}")
        assert entry is not None
        store.backend.put("keys", f"key/{key.id}", json.dumps({**json.loads(entry.value), **damage}).encode())
        with pytest.raises(Corrupt):
            keys.authenticate(text)
        assert keys.list() == [whole]

    def test_an_id_whose_key_was_never_written_is_passed_over(self, store: Store, keys: Keys) -> None:
        key, _ = keys.create("laptop", ["read"])
        store.backend.put("keys", INDEX, json.dumps({"ids": [new_id(), key.id]}).encode())
        assert keys.list() == [key]

    def test_another_replica_sees_changes_at_once(self, store: Store, keys: Keys) -> None:
        replica = store.replica()
        try:
            others = Keys(replica)
            key, text = keys.create("laptop", ["read"])
            assert others.authenticate(text) == key
            keys.revoke(key.id)
            with pytest.raises(Revoked):
                others.authenticate(text)
        finally:
            replica.close()
