"""Usage that is counted in memory and written now and then."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.telemetry import usage
from service.telemetry.usage import UsageMeter
from storage.errors import Unavailable
from storage.records.apikeys import Keys
from storage.records.usage import Usage, Usages
from tests.contracts.backend_store import Clock
from tests.service.faults import FailingBackend
from tests.service.waiting import until

ROOT = Path(__file__).parents[3]


class Counted:
    """A meter over a store that fails when it is told to, with a clock that is moved."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.time = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
        self.store = FailingBackend()
        self.usages, self.keys = Usages(self.store), Keys(self.store)
        self.meter = UsageMeter(self.usages, self.keys, self.clock)

    def stored(self, *keys: str) -> dict[tuple[str, str], Usage]:
        """By day and key; of the last ten days."""
        today = datetime.fromtimestamp(self.clock(), UTC).date()
        days = [today - timedelta(days=number) for number in range(10)]
        return {(day.isoformat(), key): found for (day, key), found in self.usages.read(days, keys).items()}


@pytest.fixture
def counted() -> Iterator[Counted]:
    made = Counted()
    yield made
    made.store.down = False
    made.meter.close()


def test_all_that_is_counted_is_written(counted: Counted) -> None:
    meter = counted.meter
    for _ in range(2):
        meter.request("a")
        meter.answer("a", hit=True, model_seconds=0.0)
    meter.request("a", pdf=True)
    meter.answer("a", hit=False, model_seconds=0.25)
    meter.request("b")
    assert counted.stored("a", "b") == {}
    meter.write()
    assert counted.stored("a", "b") == {
        ("2026-11-25", "a"): Usage(requests=3, hits=2, misses=1, model_seconds=0.25, pdfs=1),
        ("2026-11-25", "b"): Usage(requests=1),
    }


def test_only_what_is_new_is_written(counted: Counted) -> None:
    counted.meter.request("a")
    counted.meter.write()
    calls = counted.store.calls
    counted.meter.write()
    assert counted.store.calls == calls
    counted.meter.request("a")
    counted.meter.write()
    assert counted.stored("a") == {("2026-11-25", "a"): Usage(requests=2)}


def test_the_last_use_of_a_key_is_noted_as_when_it_was(counted: Counted) -> None:
    key = counted.keys.create("x", ["read"])[0].id
    used = datetime.fromtimestamp(counted.clock(), UTC)
    counted.meter.request(key)
    counted.clock.advance(50)
    counted.meter.answer(key, hit=True, model_seconds=0.0)  # a job's, perhaps
    counted.meter.write()
    found = counted.keys.get(key)
    assert found is not None
    assert found.last_used_at == used


def test_it_counts_for_the_day_on_which_it_happens(counted: Counted) -> None:
    counted.meter.request("a")
    counted.clock.advance(86400)
    counted.meter.request("a")
    counted.meter.request("a")
    counted.meter.write()
    assert counted.stored("a") == {("2026-11-25", "a"): Usage(requests=1), ("2026-11-26", "a"): Usage(requests=2)}


def test_a_clock_that_is_set_back_over_midnight_loses_nothing(counted: Counted) -> None:
    counted.meter.request("a")
    counted.meter.write()
    counted.clock.advance(86400)
    counted.meter.write()
    counted.clock.advance(-86400)
    counted.meter.request("a")
    counted.meter.write()
    assert counted.stored("a") == {("2026-11-25", "a"): Usage(requests=2)}


def test_an_outage_loses_nothing_and_is_told_of_once(counted: Counted, caplog: pytest.LogCaptureFixture) -> None:
    counted.store.down = True
    with caplog.at_level(logging.INFO, "abstracts.usage"):
        for _ in range(3):
            counted.meter.request("a")
            counted.meter.write()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "kept in memory" in caplog.text
        counted.clock.advance(3 * 86400)
        counted.meter.request("a")
        counted.store.down = False
        counted.meter.write()
    assert caplog.records[-1].message == "usage of API keys is written again"
    assert counted.stored("a") == {("2026-11-25", "a"): Usage(requests=3), ("2026-11-28", "a"): Usage(requests=1)}


def test_a_write_that_took_effect_unnoticed_counts_once(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    counted.meter.request("a")
    replace, add = counted.store.replace, counted.store.add
    with monkeypatch.context() as patched:

        def unsure(*args: object) -> bool:
            add(*args)  # type: ignore[arg-type]
            raise Unavailable("no answer in time; the write may have taken effect")

        patched.setattr(counted.store, "add", unsure)
        counted.meter.write()
    assert counted.store.replace == replace
    counted.meter.request("a")
    counted.meter.write()
    assert counted.stored("a") == {("2026-11-25", "a"): Usage(requests=2)}


def test_memory_is_bounded_and_what_finds_no_room_is_counted(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MOST_COUNTED", 2)
    counted.store.down = True
    for key in ("a", "b", "c", "d", "a"):
        counted.meter.request(key)
    assert counted.meter.lost == 2
    counted.store.down = False
    counted.clock.advance(5 * 86400)
    counted.meter.write()
    counted.meter.request("c")  # there is room again
    counted.meter.write()
    assert counted.stored("a", "b", "c") == {
        ("2026-11-30", "c"): Usage(requests=1),
        ("2026-11-25", "a"): Usage(requests=2),
        ("2026-11-25", "b"): Usage(requests=1),
    }
    assert counted.meter.lost == 2


def test_a_thread_writes_and_a_close_writes_the_rest(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "WRITE_EVERY", 0.01)
    counted.meter.request("a")
    until(lambda: counted.stored("a"))
    monkeypatch.setattr(usage, "WRITE_EVERY", 3600)
    counted.meter.close()
    assert "usage" not in {thread.name for thread in threading.enumerate()}
    counted.meter.request("a")  # as after a close of the store, it begins anew
    counted.meter.close()
    counted.meter.close()
    assert counted.stored("a") == {("2026-11-25", "a"): Usage(requests=2)}


def test_a_close_without_a_store_says_what_is_lost(counted: Counted, caplog: pytest.LogCaptureFixture) -> None:
    counted.meter.request("a")
    counted.meter.write()
    counted.meter.request("b")
    counted.store.down = True
    counted.meter.close()
    assert "usage of 1 API keys since the last write is lost" in caplog.text


def test_threads_that_count_at_once_lose_nothing(counted: Counted) -> None:
    def work(key: str) -> None:
        for _ in range(2000):
            counted.meter.request(key)
            counted.meter.answer(key, hit=True, model_seconds=0.0)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, key) for key in "abaa"]
        while not all(each.done() for each in done):
            counted.meter.write()
        for each in done:
            each.result()
    counted.meter.write()
    assert counted.stored("a", "b") == {
        ("2026-11-25", "a"): Usage(requests=6000, hits=6000),
        ("2026-11-25", "b"): Usage(requests=2000, hits=2000),
    }


FORKED = """
import os, sys
from service.bootstrap import Services, read_settings

services = Services(read_settings())
services.meter.request("a")
services.meter.write()
services.backend.close()
child = os.fork()
services.meter.request("a")
if child == 0:
    services.meter.request("a")
    services.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
"""Ends without a close in the parent, as servers of others do."""


def test_a_forked_process_counts_for_itself_and_one_that_just_ends_writes(tmp_path: Path) -> None:
    settings = {"ABSTRACTS_DATA_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, env=os.environ | settings, timeout=60, check=True)
    from storage.connect import open_backend

    backend = open_backend(f"sqlite:///{tmp_path}/abstracts.sqlite")
    today = datetime.now(UTC).date()
    found = Usages(backend).read([today - timedelta(days=1), today], ["a"])
    backend.close()
    assert sum(each.requests for each in found.values()) == 4
