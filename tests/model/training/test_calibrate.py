import numpy as np
import pytest

from model.arrays import sigmoid
from model.training.calibrate import best_threshold, platt
from model.training.evaluate import expected_calibration_error


def test_platt_undoes_a_known_distortion() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(-1, 2, (20_000, 2))
    truth = (random.random(honest.shape) < sigmoid(honest)).astype(np.float32)
    distorted = honest * np.array([3.0, 0.5]) + np.array([1.0, -2.0])
    weights = np.ones(len(honest))
    calibration = platt(distorted, truth, weights)
    assert calibration.scale == pytest.approx((1 / 3, 2), rel=0.05)
    assert calibration.offset == pytest.approx((-1 / 3, 4), rel=0.08)
    assert expected_calibration_error(sigmoid(calibration.apply(distorted)), truth, weights) < 0.01
    assert expected_calibration_error(sigmoid(distorted), truth, weights) > 0.05


def test_platt_heeds_the_weights() -> None:
    logits = np.zeros((10_000, 1))
    truth = np.array([1.0] * 5000 + [0.0] * 5000)[:, None]
    weights = np.array([1.8] * 5000 + [0.2] * 5000)
    assert sigmoid(platt(logits, truth, weights).apply(logits))[0, 0] == pytest.approx(0.9, abs=0.02)


def test_a_label_that_never_occurs_stays_finite_and_low() -> None:
    logits = np.random.default_rng(1).normal(-3, 1, (500, 1))
    calibration = platt(logits, np.zeros((500, 1)), np.ones(500))
    scores = sigmoid(calibration.apply(logits))
    assert np.isfinite(scores).all()
    assert scores.mean() < 0.01


def test_best_threshold_is_at_the_low_end_of_the_peak() -> None:
    scores = np.array([[0.33], [0.33], [0.5], [0.29]])
    assert best_threshold(scores, np.array([[1.0], [1.0], [1.0], [0.0]]), np.ones(4)) == 0.3


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]
