"""Whether what says 0.97 is right 97 times in 100: weights of signs, fitted to papers, and tried on others."""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from service.pdf.confidence import Candidate, signs
from service.pdf.find import choose

PARTS: Final = 10
BOUNDS: Final = (0.6, 0.7, 0.9, 0.96, 0.99, 1.0)
"""Of ranges of confidence; below the first nothing is answered."""
_PENALTY: Final = 16.0
"""Of the squared distance from earlier weights (ridge)."""
_STEPS: Final = 40
_REAL: Final = 6.0
"""How much more a real paper's candidates weigh than a made one's."""


EARLIER: Final[Mapping[str, float]] = {
    "at the page's end": 1.1,
    "citations": -1.2,
    "followed by a section": 1.7,
    "followed by a trailer": 0.8,
    "heading": 2.7,
    "layout": -1.5,
    "layout below addresses": 1.7,
    "layout below dates": 0.9,
    "layout bold": 1.2,
    "layout indented": 1.3,
    "layout of another size": 0.8,
    "layout of another width": 1.2,
    "layout set apart": 0.5,
    "layout short, and like the body": -1.9,
    "list": -1.5,
    "long": -1.2,
    "no beginning": -0.8,
    "no end": -3.4,
    "poor prose": -1.7,
    "run-in": 3.5,
    "short": -2.0,
    "slide": -1.0,
    "structured": 1.4,
}
"""Fitted by the same signs to papers that cannot be passed on; these papers here, which are fewer, move them."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What may be its abstract, and for each whether it is; whether it is a real paper.

    kind: what it has in common with others, which are therefore never fitted to while it is held out.
    """

    candidates: Sequence[Candidate]
    right: Sequence[bool]
    real: bool
    kind: str


def fit(papers: Sequence[Paper]) -> dict[str, float]:
    """The weights of a logistic regression with a ridge penalty on what differs from EARLIER, by Newton's method."""
    seen = [
        (set(signs(one)), right, paper.real)
        for paper in papers
        for one, right in zip(paper.candidates, paper.right, strict=True)
    ]
    names = sorted(set(EARLIER).union(*(each[0] for each in seen)))
    x = np.array([[name in each[0] for name in names] for each in seen], float)
    y = np.array([each[1] for each in seen], float)
    importance = np.array([_REAL if each[2] else 1.0 for each in seen])
    known = np.array([EARLIER.get(name, 0.0) for name in names])
    weights = known.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (importance * (p - y)) + _PENALTY * (weights - known)
        hessian = (x.T * (importance * p * (1 - p))) @ x + _PENALTY * np.eye(len(names))
        step = np.linalg.solve(hessian, gradient)
        weights -= step / max(1.0, np.abs(step).max())  # where all is as sure as can be, a whole step goes too far
    return dict(zip(names, weights.tolist(), strict=True))


def cross_validated(papers: Sequence[Paper], shown: Sequence[Paper]) -> list[tuple[str, int, float, float]]:
    """The reliability of the answers for those that are `shown`, each by weights fitted without its part."""
    kinds = sorted({paper.kind for paper in papers})
    random.Random(0).shuffle(kinds)
    answers: list[tuple[float, bool]] = []
    for part in range(PARTS):
        held = set(kinds[part::PARTS])
        weights = fit([paper for paper in papers if paper.kind not in held])
        answers += right_and_wrong([paper for paper in shown if paper.kind in held], weights)
    return reliability(answers)


def right_and_wrong(papers: Sequence[Paper], weights: Mapping[str, float]) -> list[tuple[float, bool]]:
    """For each paper that is answered: the confidence, and whether it is right."""
    answers = []
    for paper in papers:
        found = choose(paper.candidates, weights)
        if found is not None:
            right = any(
                good and one.text == found.text for one, good in zip(paper.candidates, paper.right, strict=True)
            )
            answers.append((found.confidence, right))
    return answers


def reliability(answers: Sequence[tuple[float, bool]]) -> list[tuple[str, int, float, float]]:
    """For each range of confidence: answers, their mean confidence, and the share of them that is right."""
    table = []
    for low, high in pairwise(BOUNDS):
        inside = [(confidence, right) for confidence, right in answers if low <= confidence < high]
        if inside:
            mean, right = statistics.fmean(each[0] for each in inside), statistics.fmean(each[1] for each in inside)
            table.append((f"{low:.2f} to {high - 0.01:.2f}", len(inside), mean, right))
    return table
