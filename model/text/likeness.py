"""How much a text is like an abstract, by its words and by their order; made by model.text.tables."""

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.text.hyphens import known_words

TABLE: Final = Path(__file__).parent / "likeness.npz"
SCORE_SCALE: Final = 10
ORDER_SCALE: Final = 16
"""The table has scores and orders as 8-bit integers: so many to one."""

KNOWN: Final = 1.0
UNKNOWN: Final = -1.5
UNKNOWN_NAME: Final = -0.5
"""Scores of words that general English has not among its common ones: in abstracts they are common, or they are not;
names may be any."""

_TEX: Final = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|\\[A-Za-z]+|\\.|[{}~]")
_WORD: Final = re.compile(r"[^\W\d_]+")


class Likeness(NamedTuple):
    """What formulas leave of a text, measured.

    length: number of words. words: mean logarithm of how much likelier a word is in abstracts than in general English.
    order: mean mutual information of neighbours, by how abstracts have them. letters: share of the characters but
    spaces.
    """

    length: int
    words: float
    order: float
    letters: float


class Table(NamedTuple):
    """scores: by word. places: row and column in `order` by word, its last ones for all others."""

    scores: dict[str, float]
    places: dict[str, int]
    order: NDArray[np.float32]


def split_words(text: str) -> list[str]:
    """The words outside formulas, TeX's commands left out."""
    return _WORD.findall(_TEX.sub(" ", text))


def likeness(text: str) -> Likeness:
    """Measure a normalised text. Without three words, all is 0."""
    table, known = _table(), known_words()
    prose = _TEX.sub(" ", text)
    words = _WORD.findall(prose)
    scores = [_score(table.scores, known, word) for word in words if len(word) > 1 or word in "aAI"]
    if len(scores) < 3:
        return Likeness(len(scores), 0.0, 0.0, 0.0)
    places = [table.places.get(word.lower(), len(table.places)) for word in words]
    order = float(table.order[places[:-1], places[1:]].mean())
    letters = sum(map(len, words)) / (len(prose) - prose.count(" "))
    return Likeness(len(scores), sum(scores) / len(scores), order, letters)


def _score(scores: dict[str, float], known: frozenset[str], word: str) -> float:
    lower = word.lower()
    score = scores.get(lower)
    if score is not None:
        return score
    if lower in known:
        return KNOWN
    return UNKNOWN if word == lower else UNKNOWN_NAME


@cache
def _table() -> Table:
    return read_table(TABLE)


def read_table(path: Path) -> Table:
    """What model.text.tables wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        words, common = (arrays[name].tobytes().decode().split() for name in ("words", "common"))
        scores, order = arrays["scores"] / SCORE_SCALE, arrays["order"].astype(np.float32) / ORDER_SCALE
    places = {word: place for place, word in enumerate(common)}
    return Table(dict(zip(words, scores.tolist(), strict=True)), places, order)
