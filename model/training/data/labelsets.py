"""What heads are to say: label sets, and their truth by row.

Fine categories of arXiv come from a file of their own, by id. A paper of before 2009 may be of an archive that was not
divided yet: what is not known of a row is NaN in its truth, and counts in no loss.
"""

import lzma
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from model.arrays import Floats
from model.artifact import Activation
from model.errors import DataError
from model.training.data.rows import Row

Kind = Literal["multi", "single"]
ACTIVATION: Final[Mapping[Kind, Activation]] = {"multi": "sigmoid", "single": "softmax"}
Categories = Mapping[str, tuple[str, ...]]
"""By a row's id its fine categories, the primary one first."""

UNDIVIDED: Final = frozenset({"astro-ph", "cond-mat", "q-bio"})
"""Archives that once stood where their categories stand today."""
ALIASES: Final = {
    "cs.NA": "math.NA",
    "cs.SY": "eess.SY",
    "math.IT": "cs.IT",
    "math.MP": "math-ph",
    "q-fin.EC": "econ.GN",
    "stat.TH": "math.ST",
}
"""Second names of a category (https://arxiv.org/category_taxonomy)."""

_NAMES: Final = {
    ("multi", False): "labels",
    ("single", False): "primary",
    ("multi", True): "categories",
    ("single", True): "category",
}


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of one head. kind: `multi`, a sigmoid for each; `single`, a softmax over them.

    names_of: a row's labels, none if they are not known.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    names_of: Callable[[Row], Sequence[str]]

    def truth(self, rows: Sequence[Row]) -> Floats:
        """[rows, labels]: 1, 0, or NaN where it is not known. DataError names a label that the set lacks."""
        column = {label: i for i, label in enumerate(self.labels)}
        parts = {name: [i for label, i in column.items() if label.startswith(f"{name}.")] for name in UNDIVIDED}
        truth = np.zeros((len(rows), len(column)), np.float32)
        for i, row in enumerate(rows):
            names = self.names_of(row)
            if not names:
                truth[i] = np.nan
            for name in names:
                if name in column:
                    truth[i, column[name]] = 1.0
                elif parts.get(name):
                    truth[i, parts[name]] = np.nan
                else:
                    raise DataError(f"{row.id}: label {name!r} is none of {', '.join(self.labels)}")
        return truth

    def known(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of which every label is known."""
        return [
            row for row in rows if (names := self.names_of(row)) and UNDIVIDED.isdisjoint(set(names) - {*self.labels})
        ]

    def log_odds(self, truth: Floats) -> Floats:
        """The biases [labels] of a head that knows nothing but how frequent each label is among the known."""
        share = np.clip(np.nan_to_num(np.nanmean(truth, axis=0)), 1e-5, 1 - 1e-5)
        odds: Floats = (np.log(share) - (np.log1p(-share) if self.kind == "multi" else 0.0)).astype(np.float32)
        return odds


def names_of(kind: Kind, categories: Categories | None = None) -> Callable[[Row], Sequence[str]]:
    """What tells a row's labels, or its categories: all of them or the primary one."""
    if categories is not None:
        return lambda row: categories.get(row.id, ())[: None if kind == "multi" else 1]
    return (lambda row: row.labels) if kind == "multi" else (lambda row: (row.primary,))


def label_set(rows: Sequence[Row], kind: Kind, categories: Categories | None = None) -> LabelSet:
    """Of the labels that the rows have, or of their categories; named labels, primary, categories or category."""
    name = _NAMES[kind, categories is not None]
    everything = names_of("multi" if categories is not None else kind, categories)
    found = {label for row in rows for label in everything(row)} - (UNDIVIDED if categories is not None else set())
    return LabelSet(name, kind, tuple(sorted(found)), names_of(kind, categories))


def read_categories(path: Path) -> Categories:
    """The categories in a file with lines of `id TAB categories`, also packed (.xz); aliases are merged. DataError."""
    try:
        with (lzma.open if path.suffix == ".xz" else open)(path, "rt", encoding="utf-8") as lines:
            pairs = [line.rstrip("\n").split("\t") for line in lines]
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as exc:
        raise DataError(f"{path}: {exc}") from exc
    for number, pair in enumerate(pairs, 1):
        if len(pair) != 2 or not pair[1].strip():
            raise DataError(f"{path.name}:{number}: not an id, a tabulator and categories")
    return {id: tuple(dict.fromkeys(ALIASES.get(name, name) for name in names.split())) for id, names in pairs}
