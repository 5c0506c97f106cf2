"""The contract of usage over every backend."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from storage.base import Backend
from storage.records.usage import KEPT, NAMESPACE, Usage, Usages, new_process
from tests.contracts.backend_store import Store, StoreFixture

TODAY = date(2026, 11, 25)
YESTERDAY = TODAY - timedelta(days=1)
SOME = Usage(requests=3, hits=2, misses=1, model_seconds=0.25, pdfs=1)


class UsageContract(StoreFixture):
    """Every backend adds up what processes have counted."""

    @pytest.fixture
    def usages(self, backend: Backend) -> Usages:
        return Usages(backend)

    def test_processes_are_added_up(self, store: Store, usages: Usages) -> None:
        key, other = store.key("k"), store.key("other")
        for _ in range(3):
            usages.write(TODAY, key, new_process(), SOME)
        usages.write(YESTERDAY, key, new_process(), SOME)
        assert usages.read([YESTERDAY, TODAY], [key, other]) == {
            (YESTERDAY, key): SOME,
            (TODAY, key): Usage(requests=9, hits=6, misses=3, model_seconds=0.75, pdfs=3),
        }

    def test_a_repeated_write_counts_once(self, store: Store, usages: Usages) -> None:
        key, process = store.key("k"), new_process()
        usages.write(TODAY, key, process, SOME)
        for _ in range(2):
            usages.write(TODAY, key, process, SOME + SOME)
        assert usages.read([TODAY], [key]) == {(TODAY, key): SOME + SOME}

    def test_those_that_have_ended_take_no_room(self, store: Store, usages: Usages) -> None:
        key = store.key("k")
        usages.write(TODAY, key, new_process(), SOME)
        sizes = set()
        for _ in range(5):
            process = new_process()
            usages.write(TODAY, key, process, Usage(requests=1))
            usages.write(TODAY, key, process, Usage(requests=1), ended=True)
            entry = store.backend.get(NAMESPACE, f"usage/{TODAY}/{key}")
            assert entry is not None
            sizes.add(len(entry.value))
        assert len(sizes) == 1
        assert usages.read([TODAY], [key]) == {(TODAY, key): SOME + Usage(requests=5)}

    def test_processes_that_write_at_once_lose_nothing(self, store: Store) -> None:
        key, replicas = store.key("k"), [store.replica() for _ in range(4)]

        def work(backend: Backend) -> None:
            usages, process = Usages(backend), new_process()
            for number in range(1, 11):
                usages.write(TODAY, key, process, Usage(hits=number))

        with ThreadPoolExecutor(len(replicas)) as pool:
            list(pool.map(work, replicas))
        for backend in replicas:
            backend.close()
        assert Usages(store.backend).read([TODAY], [key]) == {(TODAY, key): Usage(hits=40)}

    def test_it_is_kept_for_so_long(self, store: Store, usages: Usages) -> None:
        key = store.key("k")
        for _ in range(2):
            usages.write(TODAY, key, new_process(), SOME)
        store.move(KEPT.total_seconds() - 60)
        assert usages.read([TODAY], [key]) == {(TODAY, key): SOME + SOME}
        store.move(70)
        assert usages.read([TODAY], [key]) == {}

    def test_what_is_damaged_is_begun_anew(
        self, store: Store, usages: Usages, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number, damage in enumerate((b"[]", b"{}", b'{"processes":{"a":{"hits":"x"}}}')):
            key = store.key(f"k{number}")
            store.backend.put(NAMESPACE, f"usage/{TODAY}/{key}", damage)
            with caplog.at_level(logging.WARNING):
                assert usages.read([TODAY], [key]) == {(TODAY, key): Usage()}
                usages.write(TODAY, key, new_process(), SOME)
            assert usages.read([TODAY], [key]) == {(TODAY, key): SOME}
        assert caplog.text.count("damaged") == caplog.text.count("left out") == 3

    def test_many_keys_and_days_are_read_in_turn(self, store: Store, usages: Usages) -> None:
        keys = [store.key(str(number)) for number in range(700)]
        usages.write(YESTERDAY, keys[0], new_process(), SOME)
        usages.write(TODAY, keys[-1], new_process(), SOME)
        found = usages.read([YESTERDAY, TODAY], keys)
        assert list(found) == [(YESTERDAY, keys[0]), (TODAY, keys[-1])]
