"""API keys: presenting, remembering, revocation, outages."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.access.auth import ASK_AGAIN_AFTER, Authenticator, presented_key, require
from service.errors import ServiceError
from storage.errors import Unavailable
from storage.records.apikeys import ApiKey, Keys
from tests.service.faults import FailingBackend
from tests.service.waiting import until

TTL = 60.0
OUTAGE_TTL = 86400.0


class Bench:
    """An authenticator over a store that can fail, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.store = FailingBackend()
        self.keys = Keys(self.store)
        self.record, self.key = self.keys.create("x", ["predict"])
        self.authenticator = Authenticator(self.keys, TTL, OUTAGE_TTL, clock=lambda: self.now)


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
    with pytest.raises(ServiceError, match="Send an API key"):
        presented_key(authorization, x_api_key)


def test_a_checked_key_is_not_asked_for_again(bench: Bench) -> None:
    assert bench.authenticator.authenticate(bench.key).id == bench.record.id
    calls = bench.store.calls
    bench.now += TTL - 1
    bench.authenticator.authenticate(bench.key)
    assert bench.store.calls == calls


def test_a_revocation_is_seen_within_the_ttl(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.keys.revoke(bench.record.id)
    bench.now += TTL
    with pytest.raises(ServiceError, match="revoked"):
        bench.authenticator.authenticate(bench.key)


def test_a_key_that_was_good_outlives_an_outage_of_a_day(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.store.down = True
    for _ in range(24):
        bench.now += 3600 - 1
        assert bench.authenticator.authenticate(bench.key).id == bench.record.id
    bench.now += 24
    for _ in range(2):
        with pytest.raises(Unavailable):
            bench.authenticator.authenticate(bench.key)
    assert bench.authenticator.remembered(bench.key) is None


def test_in_an_outage_the_store_is_not_asked_with_every_request(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.store.down = True
    bench.now += TTL
    bench.authenticator.authenticate(bench.key)
    calls = bench.store.calls
    for _ in range(10):
        bench.authenticator.authenticate(bench.key)
    assert bench.store.calls == calls


def test_a_revocation_during_an_outage_is_seen_when_it_is_over(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.store.down = True
    bench.now += 3600
    bench.authenticator.authenticate(bench.key)
    bench.store.down = False
    bench.keys.revoke(bench.record.id)
    bench.now += ASK_AGAIN_AFTER
    with pytest.raises(ServiceError, match="revoked"):
        bench.authenticator.authenticate(bench.key)


def test_a_key_expires_in_an_outage_too(bench: Bench) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    _, key = bench.keys.create("x", ["predict"], expires_at=soon)
    bench.authenticator.authenticate(key)
    bench.store.down = True
    until(lambda: datetime.now(UTC) > soon)
    with pytest.raises(ServiceError, match="expired"):
        bench.authenticator.authenticate(key)


def test_one_asks_for_a_key_again_while_the_others_go_on(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.now += TTL
    asked, go_on = threading.Event(), threading.Event()
    ask = bench.keys.authenticate

    def slowly(presented: str) -> ApiKey:
        asked.set()
        assert go_on.wait(10)
        return ask(presented)

    bench.keys.authenticate = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(bench.authenticator.authenticate, bench.key)
        assert asked.wait(10)
        assert bench.authenticator.authenticate(bench.key).id == bench.record.id
        go_on.set()
        assert first.result(10).id == bench.record.id


def test_what_is_remembered_needs_no_store(bench: Bench) -> None:
    assert bench.authenticator.remembered(bench.key) is None
    bench.authenticator.authenticate(bench.key)
    calls = bench.store.calls
    assert bench.authenticator.remembered(bench.key) == bench.record
    bench.now += TTL
    assert bench.authenticator.remembered(bench.key) is None
    assert bench.store.calls == calls


def test_an_outage_is_never_an_unknown_key(bench: Bench) -> None:
    bench.store.down = True
    with pytest.raises(Unavailable):
        bench.authenticator.authenticate(bench.key)


def test_a_key_that_was_refused_is_not_trusted_in_an_outage(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    bench.keys.revoke(bench.record.id)
    bench.now += TTL
    with pytest.raises(ServiceError, match="API key"):
        bench.authenticator.authenticate(bench.key)
    bench.store.down = True
    with pytest.raises(Unavailable):
        bench.authenticator.authenticate(bench.key)


def test_a_wrong_secret_is_refused_although_the_id_is_known(bench: Bench) -> None:
    bench.authenticator.authenticate(bench.key)
    _, renewed = bench.keys.rotate(bench.record.id)
    bench.now += TTL
    with pytest.raises(ServiceError, match="not known"):
        bench.authenticator.authenticate(bench.key)
    assert bench.authenticator.authenticate(renewed).id == bench.record.id


def test_an_old_secret_that_is_remembered_ends_with_its_grace(bench: Bench) -> None:
    bench.keys.rotate(bench.record.id, timedelta(milliseconds=300))
    assert bench.authenticator.authenticate(bench.key).id == bench.record.id

    def refused() -> bool:
        try:
            bench.authenticator.authenticate(bench.key)
        except ServiceError as error:
            return "expired" in str(error)
        return False

    until(refused)
    assert bench.authenticator.remembered(bench.key) is None


def test_a_scope_does_not_include_another(bench: Bench) -> None:
    require(bench.record, "predict")
    with pytest.raises(ServiceError, match="read"):
        require(bench.record, "read")
