"""What texts are measured by, made from abstracts: the words of model.text.hyphens and the table of its likeness."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np

from model.text.hyphens import WORDS
from model.text.likeness import ORDER_SCALE, SCORE_SCALE, TABLE, split_words

VOCABULARY: Final = 20_000
"""Most frequent words, before those leave that are more often written with a hyphen."""
GENERAL: Final = 12_000
"""Common words of general English that have a score."""
COMMON: Final = 200
"""Most frequent words whose order is counted."""
_SPECIAL: Final = 1996
"""Ids of BERT's vocabulary before its first word; from there on, it is sorted by how frequent a word is."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_COMPOUND: Final = re.compile(r"(?=\b([a-z]{2,})-([a-z]{2,})\b)")


Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def write_tables(read: Callable[[], Iterable[str]], tokenizer: Path, out: Path) -> None:
    """Write words.txt and likeness.npz to `out`. `read` gives the abstracts as they are, and is called twice.

    `tokenizer`: tokenizer.json with BERT's vocabulary, for the ranks of words in general English.
    """
    words: Counter[str] = Counter()
    compounds: Counter[str] = Counter()
    for text in read():
        lower = text.lower()
        words.update(_WORD.findall(lower))
        if "-" in lower:
            compounds.update(left + right for left, right in _COMPOUND.findall(lower))
    (out / WORDS.name).write_text("".join(f"{word}\n" for word in _vocabulary(words, compounds)), "utf-8")
    general = _general(tokenizer)
    common = [word for word, _ in words.most_common(COMMON)]
    scores = [_score(words[word], words.total(), share) for word, share in general.items()]
    np.savez_compressed(
        out / TABLE.name,
        words=_joined(general),
        scores=np.round(np.array(scores) * SCORE_SCALE).astype(np.int8),
        common=_joined(common),
        order=np.round(_order(read(), common) * ORDER_SCALE).astype(np.int8),
    )


def _vocabulary(words: Counter[str], compounds: Counter[str]) -> list[str]:
    """The most frequent words but those that are rather written with a hyphen."""
    frequent = words.most_common(VOCABULARY)
    return sorted(word for word, n in frequent if word.isascii() and len(word) > 1 and n > compounds[word])


def _general(tokenizer: Path) -> dict[str, float]:
    """The most common words of general English, and their shares: Zipf's law (in Mandelbrot's form) by their rank."""
    ids = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    words = [w for w in sorted(ids, key=ids.get) if ids[w] >= _SPECIAL and re.fullmatch("[a-z]+", w)]
    total = sum(1 / (rank + 2.7) for rank in range(1, len(words) + 1))
    return {word: 1 / (rank + 2.7) / total for rank, word in enumerate(words[:GENERAL], 1)}


def _score(count: int, total: int, share: float) -> float:
    return max(-4.0, min(3.0, math.log((count + 5) / total / share)))


def _order(texts: Iterable[str], common: list[str]) -> Matrix:
    """Pointwise mutual information of neighbours [COMMON + 1, COMMON + 1], all other words as one; within -4 and 4."""
    places = {word: place for place, word in enumerate(common)}
    counts = np.ones((len(common) + 1, len(common) + 1))
    for text in texts:
        line = np.array([places.get(word, len(common)) for word in split_words(text.lower())], np.intp)
        np.add.at(counts, (line[:-1], line[1:]), 1)
    rows, columns = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    order: Matrix = np.clip(np.log(counts * counts.sum() / rows / columns), -4, 4)
    return order


def _joined(words: Iterable[str]) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    return np.frombuffer("\n".join(words).encode(), np.uint8)
