"""Turns logits into calibrated probabilities and finds the threshold at which they become labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.evaluate import micro_f1

Floats = np.ndarray[Any, np.dtype[np.float32]]

_RIDGE = 2.0  # pulls a label with few positives toward the identity; worth this many (weighted) examples
_THRESHOLDS = np.arange(0.20, 0.61, 0.01)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per-label affine map of logits in front of the activation: `logits * scale + offset`."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def apply(self, logits: Floats) -> Floats:
        """[rows, labels] -> the same shape, still logits."""
        scaled: Floats = logits * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)
        return scaled


def sigmoid(logits: Floats) -> Floats:
    """Element-wise logistic function, without overflow."""
    scores: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return scores


def platt(logits: Floats, truth: Floats, weights: Floats) -> Calibration:
    """Platt scaling (Platt 1999) of each label by weighted maximum likelihood.

    logits, truth: [rows, labels]; weights: [rows], with mean 1.
    """
    fitted = [_fit(logits[:, i], truth[:, i], weights) for i in range(logits.shape[1])]
    return Calibration(tuple(scale for scale, _ in fitted), tuple(offset for _, offset in fitted))


def _fit(logits: Floats, truth: Floats, weights: Floats) -> tuple[float, float]:
    identity = np.array([1.0, 0.0])
    design = np.stack([logits.astype(np.float64), np.ones(len(logits))], axis=1)
    point = identity.copy()
    for step in _newton_steps(design, truth, weights, identity, point):
        point -= step
    return float(point[0]), float(point[1])


def _newton_steps(
    design: Floats, truth: Floats, weights: Floats, centre: Floats, point: Floats
) -> Iterator[np.ndarray[Any, Any]]:
    for _ in range(50):
        p = sigmoid((design @ point).astype(np.float32)).astype(np.float64)
        gradient = design.T @ (weights * (p - truth)) + _RIDGE * (point - centre)
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))  # a Newton step far from the optimum may overshoot
        yield step
        if float(np.abs(step).max()) < 1e-6:
            return


def best_threshold(scores: Floats, truth: Floats, weights: Floats) -> float:
    """The threshold with the highest weighted micro-F1."""
    found = [micro_f1(scores >= t, truth, weights) for t in _THRESHOLDS]
    return round(float(_THRESHOLDS[int(np.argmax(found))]), 2)
