"""Heads on features: training, calibration, and the small artifact that keeps one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from model.arrays import softmax
from model.engines.base import Encoded, FeatureEngine
from model.engines.head import Calibration, Head, HeadEngine, LinearHead, load_head
from model.errors import ArtifactError, EngineError, TrainingError
from model.training.encoders import cache_name, compute_features
from model.training.logistic import HeadRecipe, Split, fit_head, temperature

LABELS = 3


def _ignore(*_progress: object) -> None:
    pass


def _data(rows: int, seed: int, kind: str, rare: float = 0.0) -> Split:
    """Features of which each label is a noisy linear function; `rare` is taken off the last label's logit."""
    random = np.random.default_rng(seed)
    features = random.normal(3.0, 2.0, (rows, 8)).astype(np.float32)
    logits = (features - 3.0) @ np.random.default_rng(0).normal(size=(8, LABELS)) - [0, 0, rare]
    if kind == "single":
        choice = (logits + random.gumbel(size=logits.shape)).argmax(1)
        truth = np.eye(LABELS, dtype=np.float32)[choice]
    else:
        truth = (logits + random.logistic(size=logits.shape) > 0).astype(np.float32)
    return Split(features, truth, np.ones(rows, np.float32))


@pytest.mark.parametrize("kind", ["multi", "single"])
def test_a_head_learns_what_the_features_say(kind: Any) -> None:
    losses: list[float] = []
    recipe = HeadRecipe(epochs=30)
    head = fit_head(kind, _data(2000, 1, kind), _data(500, 2, kind), recipe, lambda e, n, loss: losses.append(loss))
    test = _data(2000, 3, kind)
    logits = head.logits(test.features)
    right = logits.argmax(1) == test.truth.argmax(1) if kind == "single" else (logits > 0) == (test.truth > 0)
    assert right.mean() > 0.8
    assert losses[-1] < losses[0]
    assert len(losses) <= 30


def test_training_stops_when_nothing_improves_and_keeps_the_best() -> None:
    losses: list[float] = []
    training = _data(40, 1, "multi")
    validation = _data(40, 2, "multi")
    head = fit_head(
        "multi",
        training,
        validation,
        HeadRecipe(epochs=500, learning_rate=2e-2, patience=3),
        lambda e, n, loss: losses.append(loss),
    )
    assert len(losses) < 500
    logits = head.logits(validation.features)
    found = (np.logaddexp(0, logits) - logits * validation.truth).sum(1).mean()
    assert found == pytest.approx(min(losses), abs=1e-4)


def test_class_weights_find_more_of_a_rare_label() -> None:
    training, validation, test = (_data(2000, seed, "multi", rare=6.0) for seed in (1, 2, 3))
    recalls = []
    for balance in (0.0, 1.0):
        head = fit_head(
            "multi", training, validation, HeadRecipe(epochs=15, learning_rate=2e-2, balance=balance), _ignore
        )
        recalls.append((head.logits(test.features)[:, 2] > 0)[test.truth[:, 2] > 0].mean())
    assert recalls[1] > recalls[0] + 0.1


def test_a_feature_that_hardly_varies_gets_no_enormous_weight() -> None:
    splits = []
    for seed in (1, 2):
        data = _data(600, seed, "multi")
        noise = np.random.default_rng(seed).normal(0.5, 1e-6, (600, 1)).astype(np.float32)
        splits.append(Split(np.hstack([data.features, noise]), data.truth, data.weights))
    head = fit_head("multi", splits[0], splits[1], HeadRecipe(10), _ignore)
    assert np.abs(head.kernel[8]).max() < 1


def test_the_same_seed_gives_the_same_head() -> None:
    one, other = (
        fit_head("single", _data(300, 1, "single"), _data(90, 2, "single"), HeadRecipe(5), _ignore) for _ in "ab"
    )
    assert np.array_equal(one.kernel, other.kernel)


def test_a_diverging_loss_is_named() -> None:
    data = _data(300, 1, "multi")
    bad = Split(data.features * np.float32(np.nan), data.truth, data.weights)
    with pytest.raises(TrainingError, match="learning rate"):
        fit_head("multi", bad, data, HeadRecipe(3), _ignore)


def test_temperature_undoes_a_wrong_scale() -> None:
    random = np.random.default_rng(4)
    logits = random.normal(0, 2, (4000, LABELS)).astype(np.float32)
    truth = np.eye(LABELS, dtype=np.float32)[(logits + random.gumbel(size=logits.shape)).argmax(1)]
    calibration = temperature(logits * 2, truth, np.ones(len(logits), np.float32))
    assert calibration.scale == pytest.approx((0.5,) * LABELS, rel=0.1)
    assert calibration.offset == (0.0,) * LABELS


class CountingEngine(FeatureEngine):
    """Features that depend on the ids; counts texts, and fails at one of them when told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.texts = 0
        self.fail_at = fail_at

    def encode(self, ids: Sequence[int]) -> Encoded:
        if self.texts == self.fail_at:
            raise EngineError("told to fail")
        self.texts += 1
        return Encoded((), np.array([len(ids), sum(ids), ids[1]], np.float32))

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        raise EngineError("not asked for")

    def close(self) -> None:
        pass


def test_interrupted_features_go_on_where_they_stopped(tokenizer: Tokenizer, tmp_path: Path) -> None:
    texts = ["stars", "proof theorem", "cells market .", "galaxies"]
    cache = tmp_path / "work" / cache_name("sha256:aa", 16, texts)
    with pytest.raises(EngineError):
        compute_features(CountingEngine(fail_at=3), tokenizer, texts, cache, _ignore)
    with cache.open("ab") as file:
        file.write(b"\0\0\0\0\0")  # as a kill in the middle of a row leaves it
    heard: list[tuple[int, int]] = []
    engine = CountingEngine()
    resumed = compute_features(engine, tokenizer, texts, cache, lambda *at: heard.append(at))
    assert heard == [(3, 4), (4, 4)]
    assert engine.texts == 3  # one to learn the width
    assert np.array_equal(resumed, compute_features(CountingEngine(), tokenizer, texts, tmp_path / "new", _ignore))


def test_the_cache_is_of_these_texts_and_this_encoder() -> None:
    names = {
        cache_name(*args)
        for args in (("a", 16, ["x", "y"]), ("b", 16, ["x", "y"]), ("a", 8, ["x", "y"]), ("a", 16, ["xy"]))
    }
    assert len(names) == 4
    assert cache_name("a", 16, ["x", "y"]) in names


def test_a_head_comes_back_as_it_was_and_scores(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    head = LinearHead(random.normal(size=(3, LABELS)).astype(np.float32), np.zeros(LABELS, np.float32))
    calibrated = Calibration((0.5,) * LABELS, (1.0, 0.0, 0.0)).fold(head)
    (tmp_path / "head.npz").write_bytes(calibrated.to_bytes())
    engine = HeadEngine(CountingEngine(), Head(load_head(tmp_path / "head.npz", LABELS), "softmax"))
    features = np.array([[4, 9, 2]], np.float32)
    expected = softmax(head.logits(features) * 0.5 + np.array([1, 0, 0], np.float32))[0]
    assert engine.scores([1, 2, 3, 3]) == pytest.approx(expected, abs=1e-6)


def test_a_head_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    path.write_bytes(LinearHead(np.zeros((4, LABELS), np.float32), np.zeros(LABELS, np.float32)).to_bytes())
    with pytest.raises(EngineError, match="reads 4 features"):
        HeadEngine(CountingEngine(), Head(load_head(path, LABELS), "sigmoid")).scores([1, 2])
    with pytest.raises(ArtifactError, match="for 5 labels"):
        load_head(path, 5)
    path.write_bytes(LinearHead(np.full((4, LABELS), np.nan, np.float32), np.zeros(LABELS, np.float32)).to_bytes())
    with pytest.raises(ArtifactError, match="NaN"):
        load_head(path, LABELS)
    np.savez(path, kernel=np.array([{}], object), bias=np.zeros(LABELS))
    with pytest.raises(ArtifactError, match="not a head"):
        load_head(path, LABELS)
    path.write_bytes(b"PK")
    with pytest.raises(ArtifactError, match="not a head"):
        load_head(path, LABELS)
