"""The contract of stored predictions over every backend."""

import json
import logging
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from storage.errors import Corrupt
from storage.records.documents import decode
from storage.records.generations import KEY
from storage.records.predictions import Prediction, Predictions
from tests.contracts.backend_store import Store, StoreFixture

SCORES = (0.10000000149011612, 1e-30, 0.9999999403953552)
AT_ONCE = timedelta(microseconds=1)


def identifier(text: str) -> str:
    """A cache key for a test: hexadecimal, 64 digits."""
    return text.encode().hex().ljust(64, "0")


class PredictionsContract(StoreFixture):
    """Every backend keeps predictions faithfully and never serves a bad one."""

    @pytest.fixture
    def results(self, store: Store) -> Predictions:
        return Predictions(store.backend, generation_ttl=AT_ONCE, now=lambda: datetime.fromtimestamp(store.now(), UTC))

    @pytest.fixture
    def model(self, store: Store) -> Iterator[str]:
        """A model name of this test's own."""
        yield f"model-{store.marker}"
        store.backend.remove("results", KEY)

    @pytest.fixture
    def prediction(self, store: Store, model: str) -> Prediction:
        created = datetime.fromtimestamp(store.now(), UTC)
        return Prediction(identifier(store.marker), model, "sha256:aa", SCORES, created, None, None)

    def test_miss(self, results: Predictions, model: str) -> None:
        assert results.get(identifier("a"), model, 3) is None
        assert results.get_many([identifier("a")], model, 3) == {}
        assert results.find(identifier("a"), {model: 3}) is None
        assert results.delete(identifier("a"), [model]) is False

    def test_comes_back_equal(self, results: Predictions, prediction: Prediction) -> None:
        results.put(prediction)
        assert results.get(prediction.id, prediction.model, 3) == prediction

    def test_optional_fields_come_back(self, results: Predictions, prediction: Prediction) -> None:
        full = replace(
            prediction, abstract='We "measure" ∫ \U0001f600', expires_at=prediction.created_at + timedelta(days=1)
        )
        results.put(full)
        assert results.get(full.id, full.model, 3) == full

    def test_what_earlier_versions_stored_is_read(
        self, store: Store, results: Predictions, prediction: Prediction
    ) -> None:
        stored = {"model": prediction.model, "digest": "sha256:aa", "scores": [1, 0.5, 1e-30], "more": None}
        moments = {"created_at": "2026-01-02T03:04:05.678901+00:00", "expires_at": None}
        value = json.dumps(stored | moments).encode()
        store.backend.put("results", f"{prediction.model}/0/{prediction.id}", value)
        found = results.get(prediction.id, prediction.model, 3)
        created_at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        assert found == replace(prediction, scores=(1.0, 0.5, 1e-30), created_at=created_at)

    def test_get_many(self, results: Predictions, prediction: Prediction) -> None:
        stored = [replace(prediction, id=identifier(f"{n}"), scores=(n / 8,) * 3) for n in range(8)]
        for each in stored:
            results.put(each)
        found = results.get_many([identifier(f"{n}") for n in range(10)], prediction.model, 3)
        assert found == {each.id: each for each in stored}

    def test_put_twice_is_harmless(self, results: Predictions, prediction: Prediction) -> None:
        results.put(prediction)
        results.put(prediction)
        assert results.get(prediction.id, prediction.model, 3) == prediction

    def test_find_by_id_alone(self, results: Predictions, prediction: Prediction, model: str) -> None:
        results.put(prediction)
        assert results.find(prediction.id, {f"{model}-b": 5, model: 3}) == prediction
        assert results.find(prediction.id, {f"{model}-b": 5}) is None

    def test_models_are_apart(self, results: Predictions, prediction: Prediction, model: str) -> None:
        results.put(prediction)
        assert results.get(prediction.id, f"{model}-b", 3) is None

    def test_delete(self, results: Predictions, prediction: Prediction, model: str) -> None:
        results.put(prediction)
        assert results.delete(prediction.id, [f"{model}-b", model]) is True
        assert results.get(prediction.id, model, 3) is None
        assert results.delete(prediction.id, [model]) is False

    @pytest.mark.parametrize("id", ["", "abc", "../" + "a" * 61, "A" * 64, "a" * 65, "a" * 63 + "\n", "é" * 64])
    def test_impossible_id(self, results: Predictions, prediction: Prediction, model: str, id: str) -> None:
        assert results.get(id, model, 3) is None
        assert results.get_many([id], model, 3) == {}
        assert results.find(id, {model: 3}) is None
        assert results.delete(id, [model]) is False
        with pytest.raises(ValueError, match="64"):
            results.put(replace(prediction, id=id))

    @pytest.mark.parametrize("scores", [(), (math.nan, 0.1, 0.2), (0.1, math.inf, 0.2), (1e39, 0.1, 0.2)])
    def test_bad_scores_are_not_stored(
        self, results: Predictions, prediction: Prediction, scores: tuple[float, ...]
    ) -> None:
        with pytest.raises(ValueError, match="finite"):
            results.put(replace(prediction, scores=scores))
        assert results.get(prediction.id, prediction.model, 3) is None

    @pytest.mark.parametrize(
        "damage",
        [
            {"scores": [0.1, 0.2]},
            {"scores": [0.1, 0.2, 0.3, 0.4]},
            {"scores": [0.1, None, 0.3]},
            {"scores": [0.1, True, 0.3]},
            {"scores": "abc"},
            {"scores": None},
            {"model": "another"},
            {"digest": 5},
            {"abstract": ["x"]},
            {"created_at": "yesterday"},
            {"created_at": "2025-01-01T00:00:00"},
            {"expires_at": 17},
        ],
    )
    def test_damaged_entry_is_a_logged_miss_and_overwritten(
        self,
        store: Store,
        results: Predictions,
        prediction: Prediction,
        damage: dict[str, object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self._damage(store, results, prediction, lambda value: json.dumps({**json.loads(value), **damage}).encode())
        with caplog.at_level(logging.WARNING):
            assert results.get(prediction.id, prediction.model, 3) is None
        assert prediction.id in caplog.text
        assert results.get_many([prediction.id], prediction.model, 3) == {}
        assert results.find(prediction.id, {prediction.model: 3}) is None
        results.put(prediction)
        assert results.get(prediction.id, prediction.model, 3) == prediction

    @pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"1e999", b"1e39", b"-1e39"])
    def test_scores_that_are_not_finite_are_a_miss(
        self, store: Store, results: Predictions, prediction: Prediction, constant: bytes
    ) -> None:
        self._damage(store, results, prediction, lambda value: value.replace(b"1e-30", constant))
        assert results.get(prediction.id, prediction.model, 3) is None

    def test_a_counter_in_the_place_of_an_entry_is_a_miss(
        self, store: Store, results: Predictions, prediction: Prediction
    ) -> None:
        results.put(prediction)
        other = replace(prediction, id=identifier("other"))
        key = f"{prediction.model}/0/{other.id}"
        store.backend.increment("results", key)
        assert results.get(other.id, other.model, 3) is None
        assert set(results.get_many([prediction.id, other.id], prediction.model, 3)) == {prediction.id}
        results.put(other)
        assert results.get(other.id, other.model, 3) == other

    def test_purge_forgets_one_model(self, results: Predictions, prediction: Prediction, model: str) -> None:
        other = replace(prediction, model=f"{model}-b")
        results.put(prediction)
        results.put(other)
        assert results.purge(model) == 1
        assert results.get(prediction.id, model, 3) is None
        assert results.get(other.id, other.model, 3) == other
        results.put(prediction)
        assert results.get(prediction.id, model, 3) == prediction
        assert results.purge(model) == 2
        assert results.find(prediction.id, {model: 3}) is None

    def test_purge_is_seen_by_another_replica(self, store: Store, results: Predictions, prediction: Prediction) -> None:
        replica = store.replica()
        try:
            others = Predictions(replica, generation_ttl=AT_ONCE)
            results.put(prediction)
            assert others.get(prediction.id, prediction.model, 3) == prediction
            results.purge(prediction.model)
            assert others.get(prediction.id, prediction.model, 3) is None
        finally:
            replica.close()

    def test_damaged_generations_are_not_guessed(
        self, store: Store, results: Predictions, prediction: Prediction
    ) -> None:
        results.put(prediction)
        store.backend.put("results", KEY, json.dumps({prediction.model: "x"}).encode())
        with pytest.raises(Corrupt):
            results.get(prediction.id, prediction.model, 3)
        with pytest.raises(Corrupt):
            results.purge(prediction.model)

    def test_sweep_removes_what_purges_left(self, store: Store, results: Predictions, prediction: Prediction) -> None:
        for n in range(5):
            results.put(replace(prediction, id=identifier(f"{n}")))
        results.put(replace(prediction, model=f"{prediction.model}-b"))
        assert list(results.sweep()) == []
        results.purge(prediction.model)
        results.put(prediction)
        before = len(list(store.backend.scan("results")))
        assert list(results.sweep()) == ["purged"] * 5
        assert len(list(store.backend.scan("results"))) == before - 5
        assert results.get(prediction.id, prediction.model, 3) == prediction
        assert results.get(prediction.id, f"{prediction.model}-b", 3) is not None

    def test_sweep_tells_and_removes_predictions_of_earlier_artifacts(
        self, results: Predictions, prediction: Prediction
    ) -> None:
        newer = replace(prediction, id=identifier("newer"), digest="sha256:bb")
        other = replace(prediction, model=f"{prediction.model}-b")
        for each in (prediction, newer, other):
            results.put(each)
        digests = {prediction.model: "sha256:bb"}
        assert results.census(digests).older == 1
        assert list(results.sweep(digests)) == ["older"]
        assert list(results.sweep(digests, older=True)) == ["older"]
        assert results.get(prediction.id, prediction.model, 3) is None
        assert results.get(newer.id, newer.model, 3) == newer
        assert results.get(other.id, other.model, 3) == other
        assert list(results.sweep(digests, older=True)) == []

    def test_expiry(self, store: Store, results: Predictions, prediction: Prediction) -> None:
        hour = timedelta(hours=1)
        results.put(replace(prediction, expires_at=prediction.created_at + hour))
        assert results.get(prediction.id, prediction.model, 3) is not None
        store.pass_time(hour)
        assert results.get(prediction.id, prediction.model, 3) is None

    def test_what_has_expired_already_is_not_stored(self, results: Predictions, prediction: Prediction) -> None:
        results.put(replace(prediction, expires_at=prediction.created_at - timedelta(seconds=1)))
        assert results.get(prediction.id, prediction.model, 3) is None

    @staticmethod
    def _damage(store: Store, results: Predictions, prediction: Prediction, change: Callable[[bytes], bytes]) -> None:
        results.put(prediction)
        key = f"{prediction.model}/0/{prediction.id}"
        entry = store.backend.get("results", key)
        assert entry is not None
        assert decode(entry)["model"] == prediction.model
        store.backend.put("results", key, change(entry.value))
