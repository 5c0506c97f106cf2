"""Abstracts that benchmarks ask for: real ones where the development data lie beside the checkout, else made up."""

import gzip
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DATA: Final = Path("../shared/data")
SHORTEST, LONGEST = 50, 5000
"""Characters that the API takes."""
_TEXT: Final = (
    "we measure the mass of a quark in proton collisions and find that spiral arms decay within few orbits when a "
    "convolutional network trained on synthetic images bounds the conductance at low temperature for every compact "
    "manifold whose curvature depends on disorder data likelihood galaxies neural inference lattice boundary entropy "
    "observed spectra theorem proof sampling quantum phase transition estimates gradient optimal transport operators"
)


def abstracts(number: int) -> list[str]:
    """So many, no two alike, always the same."""
    found = dict.fromkeys(itertools.islice(_real(), number * 2))
    return list(itertools.islice(itertools.chain(found, _made_up()), number))


def _real() -> Iterator[str]:
    for path in sorted(DATA.glob("arxiv-train-*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                text = json.loads(line)["abstract"].strip()
                if SHORTEST <= len(text) <= LONGEST:
                    yield text


def _made_up() -> Iterator[str]:
    choose, words = random.Random(1), _TEXT.split()
    for i in itertools.count():
        yield f"Report {i}: {' '.join(choose.choices(words, k=choose.randint(60, 250)))}."
