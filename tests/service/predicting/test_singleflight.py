"""Single flight with real threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from model.errors import Overloaded
from service.app import Application
from service.predicting.singleflight import SingleFlight
from tests.service.conftest import ABSTRACT, TestServices, with_key
from tests.service.waiting import until

FOLLOWERS = 8


def test_callers_of_one_key_share_one_run() -> None:
    flights: SingleFlight[int] = SingleFlight()
    runs: list[int] = []
    gate = threading.Event()

    def work() -> int:
        runs.append(1)
        assert gate.wait(20)
        return 42

    with ThreadPoolExecutor(FOLLOWERS + 1) as pool:
        calls = [pool.submit(flights.run, "k", work, 20) for _ in range(FOLLOWERS + 1)]
        until(lambda: runs)
        gate.set()
        results = [call.result(20) for call in calls]
    assert {value for value, _ in results} == {42}
    assert len(runs) == len([collapsed for _, collapsed in results if not collapsed])
    assert flights.run("k", lambda: 43, 1) == (43, False)


def test_other_keys_do_not_wait() -> None:
    flights: SingleFlight[str] = SingleFlight()
    gate, began = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        assert gate.wait(20)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(flights.run, "slow", slow, 20)
        assert began.wait(20)
        assert flights.run("quick", lambda: "quick", 1) == ("quick", False)
        gate.set()
        assert call.result(20) == ("slow", False)


def test_a_leader_that_fails_takes_nobody_down() -> None:
    flights: SingleFlight[str] = SingleFlight()
    gate, began = threading.Event(), threading.Event()

    def fail() -> str:
        began.set()
        assert gate.wait(20)
        raise ZeroDivisionError

    with ThreadPoolExecutor(FOLLOWERS + 1) as pool:
        leader = pool.submit(flights.run, "k", fail, 20)
        assert began.wait(20)
        followers = [pool.submit(flights.run, "k", lambda: "fine", 20) for _ in range(FOLLOWERS)]
        gate.set()
        with pytest.raises(ZeroDivisionError):
            leader.result(20)
        assert {follower.result(20)[0] for follower in followers} == {"fine"}


def test_nobody_waits_for_ever() -> None:
    flights: SingleFlight[str] = SingleFlight()
    gate, began = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        assert gate.wait(20)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(flights.run, "k", slow, 20)
        assert began.wait(20)
        with pytest.raises(TimeoutError):
            flights.run("k", slow, 0.01)
        gate.set()
        assert call.result(20)[0] == "slow"


def ask(client: FlaskClient) -> tuple[int, str]:
    response = client.post("/api/predict/", json={"abstract": ABSTRACT})
    return response.status_code, response.headers.get("Cache-Status", "")


def test_concurrent_requests_run_the_model_once(app: Application, services: TestServices, key: str) -> None:
    services.engine.gate.clear()
    with ThreadPoolExecutor(FOLLOWERS + 1) as pool:
        leader = pool.submit(ask, with_key(app, key))
        assert services.engine.entered.acquire(timeout=20)
        followers = [pool.submit(ask, with_key(app, key)) for _ in range(FOLLOWERS)]
        services.engine.gate.set()
        assert leader.result(20) == (200, "abstracts; fwd=uri-miss; stored")
        answers = {follower.result(20) for follower in followers}
    # One that came after the leader had landed is a hit.
    assert answers <= {(200, "abstracts; fwd=uri-miss; stored; collapsed"), (200, "abstracts; hit")}
    assert len(services.engine.texts) == 1


def test_a_leader_that_is_refused_leaves_the_others_to_try(app: Application, services: TestServices, key: str) -> None:
    services.engine.gate.clear()
    services.engine.failures.append(Overloaded("too many texts wait", retry_after=1))
    with ThreadPoolExecutor(FOLLOWERS + 1) as pool:
        leader = pool.submit(ask, with_key(app, key))
        assert services.engine.entered.acquire(timeout=20)
        followers = [pool.submit(ask, with_key(app, key)) for _ in range(FOLLOWERS)]
        services.engine.gate.set()
        assert leader.result(20)[0] == 503
        assert {follower.result(20)[0] for follower in followers} == {200}
    assert len(services.engine.texts) == 2
