"""Rate limits: windows, budgets, headers, the store's outage."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from limits.storage import MemoryStorage

from config import load_settings
from service.access.leases import LeasedWindows
from service.access.ratelimits import RateLimits, Window, limit_header, policy_header
from service.app import create_app
from service.bootstrap import Services
from service.errors import InvalidRequest, LimitExceeded
from storage.ratelimit import BackendStorage
from storage.records.apikeys import Keys
from tests.service.conftest import ABSTRACT, MakeServices, with_key
from tests.service.faults import FailingBackend

KEY, _ = Keys(FailingBackend()).create("x", ["predict"])


class Clock:
    def __init__(self) -> None:
        self.now = 6000.0  # a multiple of a minute

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, limit: str, store: FailingBackend | None = None) -> RateLimits:
    """Limits that are all the same, counted in `store` or in memory."""
    storage = MemoryStorage() if store is None else BackendStorage(backend=store, now=clock)
    return RateLimits(LeasedWindows(storage, clock), ip=limit, key=limit, inference=limit)


def spend(limits: RateLimits, address: str = "a") -> list[Window]:
    spent: list[Window] = []
    limits.spend_request(address, spent)
    return spent


@pytest.mark.parametrize("store", [None, FailingBackend()])
def test_a_window_allows_its_quota_and_then_begins_anew(clock: Clock, store: FailingBackend | None) -> None:
    limits = make(clock, "2 per minute", store)
    clock.now += 20
    assert spend(limits) == [Window("ip", 2, 60, 1, 40)]
    assert spend(limits) == [Window("ip", 2, 60, 0, 40)]
    with pytest.raises(LimitExceeded, match="2 requests from this address in 60 seconds") as caught:
        spend(limits)
    assert caught.value.retry_after == 40
    assert spend(limits, "b")[0].remaining == 1
    clock.now += 40
    assert spend(limits)[0].remaining == 1


def test_several_limits_hold_together(clock: Clock) -> None:
    limits = make(clock, "2/second;3/minute")
    assert [window.policy for window in spend(limits)] == ["ip-1s", "ip-60s"]
    spend(limits)
    with pytest.raises(LimitExceeded) as caught:
        spend(limits)
    assert caught.value.retry_after == 1
    clock.now += 1
    assert [window.remaining for window in spend(limits)] == [1, 0], "what one limit refuses uses up no other"
    with pytest.raises(LimitExceeded) as caught:
        spend(limits)
    assert caught.value.retry_after == 59


def test_an_outage_of_the_counters_counts_in_memory(clock: Clock) -> None:
    store = FailingBackend()
    limits = make(clock, "2 per minute", store)
    spend(limits)
    store.down = True
    spend(limits)
    with pytest.raises(LimitExceeded):
        spend(limits)


def test_two_processes_share_what_the_store_counts(clock: Clock) -> None:
    store = FailingBackend()
    first, second = make(clock, "3 per minute", store), make(clock, "3 per minute", store)
    spend(first)
    spend(second)
    assert spend(first)[0].remaining == 0
    with pytest.raises(LimitExceeded):
        spend(second)


def test_two_single_servers_on_one_file_hold_a_limit_together(tmp_path: Path) -> None:
    variables = {"ABSTRACTS_DATA_DIR": str(tmp_path), "ABSTRACTS_LIMIT_IP": "10 per year"}
    servers = [Services(load_settings(variables)) for _ in range(2)]
    for number in range(10):
        spend(servers[number % 2].limits)
    for server in servers:
        with pytest.raises(LimitExceeded):
            spend(server.limits)
        server.close()


def test_all_addresses_of_a_customer_count_as_one(clock: Clock) -> None:
    limits = make(clock, "1 per minute")
    spend(limits, "2001:db8::1")
    with pytest.raises(LimitExceeded):
        spend(limits, "2001:db8::2")
    spend(limits, "2001:db8:0:1::1")


def test_a_batch_that_can_never_pass_is_refused_and_not_counted(clock: Clock) -> None:
    limits = make(clock, "5 per minute")
    spent: list[Window] = []
    limits.spend_key(KEY, spent)
    with pytest.raises(InvalidRequest) as caught:
        limits.spend_batch(KEY, spent, 6, age=0.0)
    assert "at most 5" in caught.value.errors["abstracts"][0]
    limits.spend_key(KEY, spent)
    limits.spend_batch(KEY, spent, 5, age=0.0)
    assert spent[-1].remaining == 0


def test_a_batch_that_cannot_pass_now_is_told_when(clock: Clock) -> None:
    limits = make(clock, "5 per minute")
    spent: list[Window] = []
    limits.spend_key(KEY, spent)
    limits.spend_key(KEY, spent)
    with pytest.raises(LimitExceeded) as caught:
        limits.spend_batch(KEY, spent, 5, age=0.0)
    assert caught.value.retry_after == 60
    limits.spend_batch(KEY, spent, 4, age=0.0)


def test_both_or_none_are_counted_from_what_is_at_hand(clock: Clock) -> None:
    limits = make(clock, "1000 per minute", FailingBackend())
    spent: list[Window] = []
    assert limits.spend_here("a", KEY) is None
    limits.spend_request("a", spent)
    assert limits.spend_here("a", KEY) is None, "the store was not asked for the key"
    limits.spend_key(KEY, spent)
    assert [window.remaining for window in limits.spend_here("a", KEY) or ()] == [998, 998]


def test_the_headers_are_structured_fields() -> None:
    windows = [Window("ip", 100, 60, 99, 30), Window("key", 10, 1, 0, 1)]
    assert policy_header(windows) == '"ip";q=100;w=60, "key";q=10;w=1'
    assert limit_header(windows) == '"ip";r=99;t=30, "key";r=0;t=1'


def ask(client: FlaskClient, number: int = 0) -> tuple[int, str]:
    response = client.post("/api/predict/", json={"abstract": f"{ABSTRACT} {number}"})
    return response.status_code, response.headers.get("Retry-After", "")


def test_bad_keys_count_for_their_address(make_services: MakeServices) -> None:
    client = create_app(services=make_services(LIMIT_IP="3 per day")).test_client()
    statuses = [client.get("/api/models", headers={"X-API-Key": "nonsense"}).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert client.get("/livez").status_code == 200


def test_a_key_has_its_own_budget(make_services: MakeServices) -> None:
    services = make_services(LIMIT_KEY="2 per day")
    app = create_app(services=services)
    first, second = (with_key(app, services.keys.create("x", ["predict"])[1]) for _ in range(2))
    assert [ask(first)[0] for _ in range(3)] == [200, 200, 429]
    assert ask(second)[0] == 200


def test_a_hit_does_not_use_up_the_inference_budget(make_services: MakeServices) -> None:
    services = make_services(LIMIT_INFERENCE="2 per day")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    assert [ask(client, number)[0] for number in (1, 1, 1, 2, 2)] == [200] * 5
    status, retry_after = ask(client, 3)
    assert status == 429
    assert 0 < int(retry_after) <= 86400
    assert ask(client, 1)[0] == 200
    assert len(services.engine.texts) == 2
    assert services.stored() == 2


def test_a_key_may_have_limits_of_its_own(make_services: MakeServices) -> None:
    services = make_services(LIMIT_KEY="1 per day", LIMIT_INFERENCE="1 per day")
    _, key = services.keys.create("x", ["predict"], limit="3 per day", limit_inference="2 per day")
    client = with_key(create_app(services=services), key)
    assert [ask(client, number)[0] for number in (1, 2, 1, 1)] == [200, 200, 200, 429]


def test_the_headers_tell_what_was_counted(client: FlaskClient) -> None:
    miss = client.post("/api/predict/", json={"abstract": ABSTRACT})
    hit = client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert miss.headers["RateLimit-Policy"] == '"ip";q=12000;w=60, "key";q=6000;w=60, "inference";q=3000;w=60'
    assert miss.headers["RateLimit"].startswith('"ip";r=11999;t=')
    assert hit.headers["RateLimit-Policy"] == '"ip";q=12000;w=60, "key";q=6000;w=60'


def test_the_address_is_believed_only_behind_a_proxy(make_services: MakeServices) -> None:
    for proxies, status in (("0", 429), ("1", 401)):
        client = create_app(services=make_services(LIMIT_IP="1 per day", TRUSTED_PROXIES=proxies)).test_client()
        client.get("/api/models", headers={"X-Forwarded-For": "192.0.2.1"})
        assert client.get("/api/models", headers={"X-Forwarded-For": "192.0.2.2"}).status_code == status
