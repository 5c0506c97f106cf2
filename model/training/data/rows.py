"""Labelled abstracts: reads JSONL, CSV and arXiv's metadata."""

import csv
import gzip
import json
import lzma
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

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


def read_all(files: Iterable[Path], columns: Columns = _COLUMNS) -> list[Row]:
    """The rows of all files; DataError when there are none."""
    rows = [row for path in files for row in read_rows(path, columns)]
    if not rows:
        raise DataError("the data files hold no rows with labels")
    return rows
