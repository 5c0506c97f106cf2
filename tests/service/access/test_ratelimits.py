"""Rate limits: windows, budgets, headers, the store's outage."""

import pytest
from flask.testing import FlaskClient

from service.access.ratelimits import MOST_COUNTERS, LocalCounters, RateLimits, Window, limit_header, policy_header
from service.app import create_app
from service.errors import LimitExceeded
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
    local = LocalCounters(clock)
    shared = local if store is None else BackendStorage(backend=store, now=clock)
    return RateLimits(shared, local, ip=limit, key=limit, inference=limit, clock=clock)


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
    with pytest.raises(LimitExceeded) as caught:
        spend(limits)
    assert caught.value.retry_after == 59


def test_an_outage_of_the_counters_counts_in_memory(clock: Clock) -> None:
    store = FailingBackend()
    limits = make(clock, "2 per minute", store)
    spend(limits)
    store.down = True
    spend(limits)
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


def test_memory_is_bounded(clock: Clock) -> None:
    counters = LocalCounters(clock)
    for number in range(MOST_COUNTERS + 10):
        counters.incr(str(number), 60)
    assert len(counters._counts) == MOST_COUNTERS
    assert counters.incr(str(MOST_COUNTERS), 60) == 2


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
