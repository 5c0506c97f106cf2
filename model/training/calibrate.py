"""Turns logits into calibrated probabilities and finds the threshold at which they become labels."""

from dataclasses import dataclass

import numpy as np

from model.arrays import Floats, sigmoid
from model.engines.head import LinearHead
from model.training.evaluate import micro_f1

_RIDGE = 2.0  # pulls a label with few positives toward the identity; worth this many (weighted) examples
_NEWTON_STEPS = 50
_FLAT = 0.0005  # of micro-F1
_THRESHOLDS = np.round(np.arange(0.20, 0.61, 0.01), 2)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per-label affine map of logits in front of the activation: `logits * scale + offset`."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @classmethod
    def identity(cls, labels: int) -> "Calibration":
        """The map that changes nothing."""
        return cls((1.0,) * labels, (0.0,) * labels)

    def fold(self, head: LinearHead) -> LinearHead:
        """The head whose logits are this one's, calibrated."""
        scale, offset = (np.asarray(part, np.float32) for part in (self.scale, self.offset))
        return LinearHead(head.kernel * scale, head.bias * scale + offset)

    def apply(self, logits: Floats) -> Floats:
        """[rows, labels] -> the same shape, still logits."""
        scaled: Floats = logits * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)
        return scaled


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
