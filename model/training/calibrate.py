"""Turns logits into calibrated probabilities and finds the threshold at which they become labels."""

import numpy as np

from model.arrays import ACTIVATIONS, Floats, sigmoid
from model.engines.head import Calibration
from model.training.data.labelsets import ACTIVATION, Kind
from model.training.evaluate import micro_f1
from model.training.logistic import temperature

_RIDGE = 2.0  # pulls a label with few positives toward the identity; worth this many (weighted) examples
_NEWTON_STEPS = 50
_FLAT = 0.0005  # of micro-F1
_THRESHOLDS = np.round(np.arange(0.20, 0.61, 0.01), 2)


def calibrated(kind: Kind, logits: Floats, truth: Floats, weights: Floats) -> tuple[Calibration, float]:
    """How a head's logits are calibrated, and the threshold of the scores; arguments as for `platt`."""
    calibration = (platt if kind == "multi" else temperature)(logits, truth, weights)
    scores = ACTIVATIONS[ACTIVATION[kind]](calibration.apply(logits))
    return calibration, best_threshold(scores, truth, weights)


def platt(logits: Floats, truth: Floats, weights: Floats) -> Calibration:
    """Platt scaling (Platt 1999) of each label by weighted maximum likelihood.

    logits, truth: [rows, labels]; weights: [rows], with mean 1.
    """
    fitted = [_fit(logits[:, i], truth[:, i], weights) for i in range(logits.shape[1])]
    return Calibration(tuple(scale for scale, _ in fitted), tuple(offset for _, offset in fitted))


def _fit(logits: Floats, truth: Floats, weights: Floats) -> tuple[float, float]:
    """Newton's method from the identity; steps are cut to 1, since one far from the optimum may overshoot."""
    identity = np.array([1.0, 0.0])
    design = np.stack([logits.astype(np.float64), np.ones(len(logits))], axis=1)
    point = identity.copy()
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(design @ point)
        gradient = design.T @ (weights * (p - truth)) + _RIDGE * (point - identity)
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        point -= step
        if float(np.abs(step).max()) < 1e-6:
            break
    return float(point[0]), float(point[1])


def best_threshold(scores: Floats, truth: Floats, weights: Floats) -> float:
    """The lowest threshold whose weighted micro-F1 is the best but for `_FLAT`.

    Micro-F1 hardly changes around its peak; rare labels, whose scores are low, are found more often at the lower end.
    """
    found = np.array([micro_f1(scores >= t, truth, weights) for t in _THRESHOLDS])
    return float(_THRESHOLDS[int(np.argmax(found >= found.max() - _FLAT))])
