"""Labelled abstracts: reads JSONL, CSV and arXiv's metadata, draws rows toward a mix, weights them, holds some out."""

import csv
import gzip
import hashlib
import json
import lzma
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from model.arrays import Floats
from model.artifact import sha256_of
from model.errors import DataError
from model.text import normalise

_OPEN: Final[dict[str, Callable[..., IO[str]]]] = {".gz": gzip.open, ".xz": lzma.open}
_SEPARATORS: Final = re.compile(r"[\s;|,]+")
MAX_FIELD: Final = 1 << 20
"""Characters of one CSV field."""

# Archives that arXiv has since merged into others (https://arxiv.org/category_taxonomy and its history).
_MERGED: Final[Mapping[str, str]] = {
    "acc-phys": "physics",
    "adap-org": "nlin",
    "alg-geom": "math",
    "ao-sci": "physics",
    "atom-ph": "physics",
    "bayes-an": "physics",
    "chao-dyn": "nlin",
    "chem-ph": "physics",
    "cmp-lg": "cs",
    "comp-gas": "nlin",
    "dg-ga": "math",
    "funct-an": "math",
    "mtrl-th": "cond-mat",
    "patt-sol": "nlin",
    "plasm-ph": "physics",
    "q-alg": "math",
    "solv-int": "nlin",
    "supr-con": "cond-mat",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One abstract, normalised. `weight` counts in every metric; `primary` is the label of its stratum."""

    id: str
    text: str
    primary: str
    labels: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Columns:
    """Where text, labels and weight are.

    labels: one column with a list, or a text of names apart by spaces, commas, semicolons or bars; or several columns,
    each of them 0 or 1 for the label of its name; none: `labels`, or `categories` as in arXiv's metadata. weight: None
    counts every row the same.
    """

    text: str = "abstract"
    labels: tuple[str, ...] = ()
    weight: str | None = None


_COLUMNS: Final = Columns()


def read_rows(path: Path, columns: Columns = _COLUMNS) -> Iterator[Row]:
    """The rows of a CSV file with a header, or else of a JSONL file; either also packed (.gz, .xz).

    A row without labels is left out: nothing can be learned from it. DataError names file, line and field.
    """
    for where, record in _read(path):
        row = _row(record, columns, where)
        if row is not None:
            yield row


def read_texts(path: Path, column: str = "abstract") -> Iterator[str]:
    """The texts of such a file as they are, not normalised. DataError as for read_rows."""
    for where, record in _read(path):
        yield _text(record, column, where)


def _read(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with _OPEN.get(path.suffix, open)(path, mode="rt", encoding="utf-8", newline="") as lines:
            yield from _records(path, lines)
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, csv.Error) as exc:
        raise DataError(f"{path}: {exc}") from exc


def _records(path: Path, lines: IO[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if ".csv" in path.suffixes[-2:]:
        csv.field_size_limit(MAX_FIELD)
        reader = csv.DictReader(lines, restkey="", strict=True)
        for record in reader:
            yield f"{path.name}:{reader.line_num}", record
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path.name}:{number}"
            yield where, _object(line, where)


def _object(line: str, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as exc:
        raise DataError(f"{where}: not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise DataError(f"{where}: not a JSON object")
    return value


def _row(record: Mapping[str, Any], columns: Columns, where: str) -> Row | None:
    text = _text(record, columns.text, where)
    labels = _labels(record, columns.labels, where)
    if not labels:
        return None
    primary = record.get("primary") or labels[0]
    return Row(str(record.get("id") or where), normalise(text), str(primary), labels, _weight(record, columns, where))


def _text(record: Mapping[str, Any], column: str, where: str) -> str:
    text = record.get(column)
    if not isinstance(text, str):
        raise DataError(f"{where}: no text in {column!r}; there are {', '.join(map(repr, record))}")
    return text


def _weight(record: Mapping[str, Any], columns: Columns, where: str) -> float:
    if columns.weight is None:
        return 1.0
    try:
        weight = float(record[columns.weight])
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{where}: no weight in {columns.weight!r}") from exc
    if not 0 < weight < float("inf"):
        raise DataError(f"{where}: the weight {weight} is not above 0")
    return weight


def _labels(record: Mapping[str, Any], columns: Sequence[str], where: str) -> tuple[str, ...]:
    if len(columns) > 1:
        return tuple(name for name in columns if _flag(record, name, where))
    if not columns and "labels" not in record and isinstance(record.get("categories"), str):
        archives = (category.partition(".")[0] for category in record["categories"].split())
        return tuple(dict.fromkeys(_MERGED.get(archive, archive) for archive in archives))
    (name,) = columns or ("labels",)
    value = record.get(name)
    if isinstance(value, str):
        value = [part for part in _SEPARATORS.split(value) if part]
    if not isinstance(value, list) or not all(isinstance(label, str) and label for label in value):
        raise DataError(f"{where}: no label names in {name!r}; there are {', '.join(map(repr, record))}")
    return tuple(dict.fromkeys(value))


def _flag(record: Mapping[str, Any], name: str, where: str) -> bool:
    value = str(record.get(name, "")).strip().lower()
    if value not in ("0", "1", "0.0", "1.0", "false", "true", ""):
        raise DataError(f"{where}: {name!r} is {value!r}, not 0 or 1")
    if name not in record:
        raise DataError(f"{where}: no column {name!r}; there are {', '.join(map(repr, record))}")
    return value in ("1", "1.0", "true")


def digests(files: Sequence[Path]) -> dict[str, str]:
    """`sha256:` and the hexadecimal SHA-256 of each file, by its name."""
    return {path.name: f"sha256:{sha256_of(path)}" for path in files}


def read_mix(path: Path) -> dict[str, float]:
    """A JSON object {primary label: share}; DataError otherwise."""
    try:
        mix = {str(k): float(v) for k, v in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise DataError(f"{path}: not a JSON object of label: share: {exc}") from exc
    if not mix or min(mix.values()) < 0:
        raise DataError(f"{path}: shares must be 0 or more")
    return mix


def label_matrix(rows: Sequence[Row], labels: Sequence[str]) -> Floats:
    """Indicator matrix [rows, labels]; DataError names a label that is not among `labels`."""
    column = {label: i for i, label in enumerate(labels)}
    matrix = np.zeros((len(rows), len(labels)), np.float32)
    for i, row in enumerate(rows):
        for label in row.labels:
            if label not in column:
                raise DataError(f"{row.id}: label {label!r} is none of {', '.join(labels)}")
            matrix[i, column[label]] = 1.0
    return matrix


def split_held_out(rows: Iterable[Row], share: float, floor: int) -> tuple[list[Row], list[Row]]:
    """Split into (training, held out) by a hash of the id, so that a row is on the same side in every run.

    `share` of each primary label is held out; of a rare one up to a quarter, to reach `floor` rows.
    """
    ordered = sorted(rows, key=lambda row: hashlib.blake2b(row.id.encode(), digest_size=8).digest())
    count = Counter(row.primary for row in ordered)
    quota = {p: max(int(share * n), min(floor, n // 4)) for p, n in count.items()}
    training: list[Row] = []
    held_out: list[Row] = []
    for row in ordered:
        side = held_out if quota[row.primary] > 0 else training
        quota[row.primary] -= 1
        side.append(row)
    return training, held_out


def draw(rows: Sequence[Row], size: int, mix: Mapping[str, float], floor: float, repeats: int, seed: int) -> list[Row]:
    """Draw about `size` rows whose primaries follow `mix`, none below the share `floor`; shuffled.

    A row is drawn at most `repeats` times, and twice only when its primary has too few; what rare primaries cannot
    fill goes to the others.
    """
    random = np.random.default_rng(seed)
    pools: dict[str, list[Row]] = {}
    for row in rows:
        pools.setdefault(row.primary, []).append(row)
    wanted = _quotas({p: len(pool) * repeats for p, pool in pools.items()}, size, mix, floor)
    drawn: list[Row] = []
    for primary, pool in sorted(pools.items()):
        copies = [pool[i] for _ in range(repeats) for i in random.permutation(len(pool))]
        drawn += copies[: wanted[primary]]
    return [drawn[i] for i in random.permutation(len(drawn))]


def _quotas(capacity: Mapping[str, int], size: int, mix: Mapping[str, float], floor: float) -> dict[str, int]:
    share = {p: max(mix.get(p, 0.0), floor) for p in capacity}
    quota: dict[str, int] = {}
    while open_ := sorted(p for p in capacity if p not in quota):
        rest, total = size - sum(quota.values()), sum(share[p] for p in open_)
        full = [p for p in open_ if rest * share[p] / total >= capacity[p]]
        if not full:
            return quota | {p: int(rest * share[p] / total) for p in open_}
        quota |= {p: capacity[p] for p in full}
    return quota


def mix_weights(rows: Sequence[Row], mix: Mapping[str, float]) -> Floats:
    """A weight a row [rows] so that the primaries weigh as in `mix`; the mean is 1."""
    count = Counter(row.primary for row in rows)
    weights = np.array([mix.get(row.primary, 0.0) / count[row.primary] for row in rows], np.float32)
    if not weights.any():
        raise DataError("no row has a primary label that the mix names")
    return weights / np.float32(weights.mean())


def shares(rows: Sequence[Row]) -> dict[str, float]:
    """The share of the rows that each primary label has."""
    return {primary: count / len(rows) for primary, count in Counter(row.primary for row in rows).items()}
