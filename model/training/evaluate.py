"""How good scores are: F1, top-1, calibration error, each row counting with its weight."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model.arrays import Floats

Booleans = np.ndarray[Any, np.dtype[np.bool_]]

_BINS = 15
_MOST_CONFUSIONS = 20
_SWEEP = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


@dataclass(frozen=True, slots=True)
class LabelReport:
    """One label at the report's threshold; `support` is the weighted number of its rows."""

    label: str
    precision: float
    recall: float
    f1: float
    support: float


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """Micro- and macro-F1 at one threshold."""

    threshold: float
    micro_f1: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """`rows` (weighted) of the label `true` that got a wrong one, `chosen`, and not that; `share` of all its rows."""

    true: str
    chosen: str
    rows: float
    share: float


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Decisions (row, label) with a score from `low` to `high`: their number, mean score and share of true ones."""

    low: float
    high: float
    decisions: float
    score: float
    true: float


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of one model on one set of rows.

    micro_f1 and macro_f1 (over labels that occur often enough) at `threshold`; top1: share of rows whose best-scored
    label is a true one; ece: expected calibration error over all (row, label) decisions in 15 equal bins (Guo et al.
    2017, arXiv:1706.04599), which are `calibration`, without those that are empty. confusions: the most frequent ones.
    """

    rows: int
    threshold: float
    micro_f1: float
    macro_f1: float
    top1: float
    ece: float
    labels: tuple[LabelReport, ...]
    sweep: tuple[SweepPoint, ...]
    confusions: tuple[Confusion, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()

    def summary(self) -> dict[str, float]:
        """What a manifest keeps of it."""
        return {"rows": self.rows, **{k: round(getattr(self, k), 4) for k in ("micro_f1", "macro_f1", "top1", "ece")}}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def evaluate(
    scores: Floats, truth: Floats, weights: Floats, labels: Sequence[str], threshold: float, least_rows: int = 1
) -> Report:
    """Measure `scores` [rows, labels] against the indicator matrix `truth` of the same shape; weights [rows].

    least_rows: of a label that counts in macro-F1.
    """
    weights = weights / weights.mean()
    best = np.argmax(scores, axis=1)
    return Report(
        rows=len(scores),
        threshold=threshold,
        micro_f1=micro_f1(scores >= threshold, truth, weights),
        macro_f1=macro_f1(scores >= threshold, truth, weights, least_rows),
        top1=float(np.average(truth[np.arange(len(truth)), best], weights=weights)),
        ece=expected_calibration_error(scores, truth, weights),
        labels=tuple(_label_reports(scores >= threshold, truth, weights, labels)),
        sweep=tuple(
            SweepPoint(t, micro_f1(scores >= t, truth, weights), macro_f1(scores >= t, truth, weights, least_rows))
            for t in _SWEEP
        ),
        confusions=tuple(_confusions(scores >= threshold, truth, weights, labels)),
        calibration=tuple(calibration_curve(scores, truth, weights)),
    )


def micro_f1(chosen: Booleans, truth: Floats, weights: Floats) -> float:
    """F1 over all (row, label) decisions; 0 when nothing is true and nothing chosen."""
    hits, predicted, actual = _counts(chosen, truth, weights)
    return float(2 * hits.sum() / max(predicted.sum() + actual.sum(), 1e-12))


def macro_f1(chosen: Booleans, truth: Floats, weights: Floats, least_rows: int = 1) -> float:
    """Mean of the labels' F1 over those labels that occur in so many rows of `truth` at least."""
    hits, predicted, actual = _counts(chosen, truth, weights)
    occurs = truth.sum(0) >= least_rows
    return float((2 * hits[occurs] / (predicted[occurs] + actual[occurs])).mean()) if occurs.any() else 0.0


def expected_calibration_error(scores: Floats, truth: Floats, weights: Floats) -> float:
    """Weighted mean of |mean score - share of true ones| over the bins."""
    curve = calibration_curve(scores, truth, weights)
    gap = sum(part.decisions * abs(part.score - part.true) for part in curve)
    return gap / sum(part.decisions for part in curve)


def calibration_curve(scores: Floats, truth: Floats, weights: Floats) -> list[CalibrationBin]:
    """The bins that hold decisions."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1).ravel()
    mass = np.repeat(weights.astype(np.float64), scores.shape[1])
    decisions, score, true = (
        np.bincount(bins, mass * part, _BINS) for part in (1.0, scores.ravel().astype(np.float64), truth.ravel())
    )
    return [
        CalibrationBin(
            i / _BINS,
            (i + 1) / _BINS,
            float(decisions[i]),
            float(score[i] / decisions[i]),
            float(true[i] / decisions[i]),
        )
        for i in range(_BINS)
        if decisions[i]
    ]


def _counts(chosen: Booleans, truth: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted numbers a label: true positives, chosen, true."""
    column = weights[:, None]
    return (chosen * truth * column).sum(0), (chosen * column).sum(0), (truth * column).sum(0)


def _confusions(chosen: Booleans, truth: Floats, weights: Floats, labels: Sequence[str]) -> list[Confusion]:
    """The most frequent pairs of a label that was missed and one that was chosen in its place."""
    missed, wrong = truth * ~chosen * weights[:, None], chosen * (1 - truth)
    rows, support = missed.T @ wrong, (truth * weights[:, None]).sum(0)
    most = np.argsort(-rows, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [(int(flat) // len(labels), int(flat) % len(labels)) for flat in most]
    return [
        Confusion(labels[i], labels[j], float(rows[i, j]), float(rows[i, j] / support[i]))
        for i, j in pairs
        if rows[i, j] > 0
    ]


def _label_reports(chosen: Booleans, truth: Floats, weights: Floats, labels: Sequence[str]) -> list[LabelReport]:
    hits, predicted, actual = (counts.astype(float) for counts in _counts(chosen, truth, weights))
    return [
        LabelReport(
            label,
            precision=hits[i] / predicted[i] if predicted[i] else 0.0,
            recall=hits[i] / actual[i] if actual[i] else 0.0,
            f1=2 * hits[i] / (predicted[i] + actual[i]) if predicted[i] + actual[i] else 0.0,
            support=actual[i],
        )
        for i, label in enumerate(labels)
    ]
