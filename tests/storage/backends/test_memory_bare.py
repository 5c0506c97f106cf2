"""Records need neither counting nor listing."""

from collections.abc import Iterator

import pytest

from storage.records.predictions import Predictions
from tests.contracts.backend_store import Store, StoreFixture
from tests.contracts.keys import KeysContract
from tests.contracts.predictions import PredictionsContract
from tests.storage.backends.bare import BareBackend


class BareStore(StoreFixture):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        backend = BareBackend()
        yield Store(backend, None, None)
        backend.close()


class TestBareResults(BareStore, PredictionsContract):
    pass


class TestBareKeys(BareStore, KeysContract):
    pass


def test_sweep_without_listing_does_nothing() -> None:
    results = Predictions(BareBackend())
    results.purge("model")
    assert results.sweep() == 0
