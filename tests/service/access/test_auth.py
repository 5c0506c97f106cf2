"""API keys: presenting, remembering, revocation, outages."""

import pytest

from service.access.auth import Authenticator, presented_key, require
from service.errors import KeyMissing, KeyRefused, ScopeMissing
from storage.errors import Unavailable
from storage.records.apikeys import Keys
from tests.service.faults import FailingBackend

TTL = 60.0


class Bench:
    """An authenticator over a store that can fail, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.store = FailingBackend()
        self.keys = Keys(self.store)
        self.record, self.key = self.keys.create("x", ["predict"])
        self.authenticator = Authenticator(self.keys, TTL, clock=lambda: self.now)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer KEY", None),
        ("bearer  KEY ", None),
        (None, " KEY "),
        ("Basic dTpw", "KEY"),
        ("Bearer ", "KEY"),
        ("Bearer KEY", "OTHER"),
    ],
)
def test_where_a_key_is_presented(authorization: str | None, x_api_key: str | None) -> None:
    assert presented_key(authorization, x_api_key) == "KEY"


@pytest.mark.parametrize(("authorization", "x_api_key"), [(None, None), ("", ""), ("Basic dTpw", None), ("KEY", None)])
def test_no_key_is_presented(authorization: str | None, x_api_key: str | None) -> None:
    with pytest.raises(KeyMissing):
        presented_key(authorization, x_api_key)


def test_a_checked_key_is_not_asked_for_again(bench: Bench) -> None:
    assert bench.authenticator.authenticate(bench.key).id == bench.record.id
    calls = bench.store.calls
    bench.now += TTL - 1
    bench.authenticator._checked[next(iter(bench.authenticator._checked))].noted_at = bench.now
    bench.authenticator.authenticate(bench.key)
    assert bench.store.calls == calls


def test_a_revocation_is_seen_within_the_ttl(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.keys.revoke(bench.record.id)
    bench.now += TTL
    with pytest.raises(KeyRefused, match="revoked"):
        bench.authenticator.authenticate(bench.key)


def test_a_key_in_use_outlives_an_outage_by_the_ttl(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.now += TTL - 1
    bench.store.down = True
    bench.now += TTL
    assert bench.authenticator.authenticate(bench.key).id == bench.record.id
    bench.now += TTL
    with pytest.raises(Unavailable):
        bench.authenticator.authenticate(bench.key)


def test_an_outage_is_never_an_unknown_key(bench: Bench) -> None:
    bench.store.down = True
    with pytest.raises(Unavailable):
        bench.authenticator.authenticate(bench.key)


def test_a_key_that_was_refused_is_not_trusted_in_an_outage(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.keys.revoke(bench.record.id)
    bench.now += TTL
    with pytest.raises(KeyRefused):
        bench.authenticator.authenticate(bench.key)
    bench.store.down = True
    with pytest.raises(Unavailable):
        bench.authenticator.authenticate(bench.key)


def test_the_last_use_is_noted(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    noted = bench.keys.get(bench.record.id)
    assert noted is not None
    assert noted.last_used_at is not None


def test_a_wrong_secret_is_refused_although_the_id_is_known(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    _, renewed = bench.keys.rotate(bench.record.id)
    bench.now += TTL
    with pytest.raises(KeyRefused, match="not known"):
        bench.authenticator.authenticate(bench.key)
    assert bench.authenticator.authenticate(renewed).id == bench.record.id


def test_admin_includes_every_scope(bench: Bench) -> None:
    admin, _ = bench.keys.create("a", ["admin"])
    require(admin, "read")
    require(bench.record, "predict")
    with pytest.raises(ScopeMissing, match="read"):
        require(bench.record, "read")
