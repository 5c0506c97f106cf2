"""Tables: CSV and its kin, with a header line, whatever separates the columns."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from service.input.errors import Unusable
from service.input.forms.fields import ABSTRACT, HOW_TO_NAME, as_item, find
from service.input.forms.prose import is_list
from service.input.item import MAX_RECORD, Columns, Item
from service.input.opened import Opened

FORM: Final = "CSV"
_SEPARATORS: Final = "\t,;|"
_NAMED: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_ROWS: Final = 20
"""Rows that are looked at."""
_MARK: Final = re.compile(r"sep=(.)\n")
"""Excel's own first line."""
_CELL: Final = re.compile(r"\s*[^\W\d][^.!?]{0,40}\s*")
_ID: Final = re.compile(r"(?=[^\d\s]{0,40}\d)[\w.:/-]{1,60}")


def matches(opened: Opened, columns: Columns) -> bool:
    """There is a column of abstracts; or it looks like a table, whatever is in it."""
    return _with_abstracts(opened, columns) is not None or _like_a_table(opened) is not None


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """An item a row. Rows count as in a spreadsheet: the header is row 1. Unusable: no abstracts in it."""
    table = _with_abstracts(opened, columns)
    if table is None:
        raise _no_column(_like_a_table(opened) or ",", opened, columns)
    with opened.text(newline="") as text:
        yield from table.items(_lines(text), columns)


@dataclass(frozen=True)
class _Table:
    """How a table is written: `escapes` if a quote within quotes has a backslash, `quotes` if there are any."""

    separator: str
    quotes: bool
    escapes: bool

    def rows(self, lines: Iterator[str]) -> "Iterator[Sequence[str]]":
        return csv.reader(
            lines,
            delimiter=self.separator,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            doublequote=not self.escapes,
            escapechar="\\" if self.escapes else None,
            strict=True,
            skipinitialspace=self.separator != "\t",
        )

    def items(self, lines: Iterator[str], columns: Columns) -> Iterator[Item]:
        counted = _Counted(lines)
        rows, header, number = self.rows(counted), None, 0
        while True:
            line = counted.count + 1
            try:
                row = next(rows)
                problem = None
            except StopIteration:
                return
            except csv.Error as exc:
                row, problem = [], _malformed(exc)
            number += 1
            if header is None:
                number -= not row or bool(_MARK.fullmatch(self.separator.join(row) + "\n"))
                header = _names(row) if number else None
            elif problem:
                yield Item(f"row {number}", problem=problem, line=line)
            elif row:
                yield _item(header, row, number, line, columns)


def _malformed(exc: csv.Error) -> str:
    what = "a quote is opened and never closed" if "end of data" in str(exc) else str(exc)
    return f"It is not well-formed: {what}. Put quotes around the field, and double those in it."


class _Counted:
    """An iterator of lines that knows how many it has given."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> "_Counted":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        return line


def _lines(text: TextIO) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_RECORD + 1):
        number += 1
        if len(line) > MAX_RECORD:
            raise Unusable(FORM, f"Line {number} has more than {MAX_RECORD} characters.", "Is it a table? Shorten it.")
        yield line


def _names(row: Sequence[str]) -> list[str]:
    """The header's names, those of nameless columns made up."""
    return [name.strip() or f"column {i}" for i, name in enumerate(row, 1)]


def _item(header: Sequence[str], row: Sequence[str], number: int, line: int, columns: Columns) -> Item:
    place = f"row {number}"
    while len(row) > len(header) and not row[-1].strip():
        row = row[:-1]
    if len(row) == len(header):
        item = as_item(dict(zip(header, row, strict=True)), place, columns, line)
        return Item(place, item.abstract, item.problem, line, item.input_id, item.title, fields=item.fields)
    counts = f"It has {len(row)} fields, but the header has {len(header)}."
    return Item(place, problem=f"{counts} Put quotes around a field that holds the separator.", line=line)


def _with_abstracts(opened: Opened, columns: Columns) -> _Table | None:
    """The table that the beginning is, if its header names a column of abstracts."""
    head = _MARK.sub("", opened.beginning.lstrip("\n"), count=1)
    first = head.partition("\n")[0]
    for separator in _SEPARATORS:
        names = _split(first, separator)
        if len(names) > 1 and find(names, columns.text, ABSTRACT) and all(len(name) < 100 for name in names):
            return _table(separator, head)
    alone = first.strip().strip('"')
    if columns.text is not None and find([alone], columns.text, ()):
        return _table("\t", head)
    if opened.suffix in _NAMED or is_list(opened):
        return _table("\t", head) if find([alone], columns.text, ABSTRACT) else None
    return None


def _table(separator: str, head: str) -> _Table:
    edge = re.escape(separator)
    escapes = '\\"' in head and re.search(rf'[^{edge}\n]""[^{edge}\n]', head) is None
    quotes = separator != "\t" or re.search(r'(^|\t)"[^\t\n]*("(\t|$)|\n)', head, re.MULTILINE) is not None
    return _Table(separator, quotes, escapes)


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _like_a_table(opened: Opened) -> str | None:
    """What separates the columns of something that is no prose; None if it may be prose."""
    head = opened.beginning.strip("\n")
    lines = [line for line in (head if opened.complete else head.rpartition("\n")[0]).split("\n", 200) if line.strip()]
    for separator in _SEPARATORS:
        rows = [_split(line, separator) for line in lines[:_ROWS]]
        named = bool(rows) and _header(rows[0]) and not (separator == "," and ", " in lines[0])
        if _even(rows) and (separator == "\t" or named or _ids(rows) or _quoted(lines, separator)):
            return separator
        if len(rows) > 1 and separator in ",;" and _ids(rows):
            return separator
    return _NAMED.get(opened.suffix) if lines else None


def _even(rows: Sequence[Sequence[str]]) -> bool:
    return len(rows) > 1 and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1


def _header(row: Sequence[str]) -> bool:
    return all(_CELL.fullmatch(cell) and len(cell.split()) < 4 for cell in row)


def _ids(rows: Sequence[Sequence[str]]) -> bool:
    return all(len(row) > 1 and _ID.fullmatch(row[0].strip()) for row in rows[1:]) and len(rows[0]) > 1


def _quoted(lines: Sequence[str], separator: str) -> bool:
    return all(f'"{separator}' in line or f'{separator}"' in line for line in lines)


def _no_column(separator: str, opened: Opened, columns: Columns) -> Unusable:
    form = "tab-separated" if separator == "\t" else f"separated by `{separator}`"
    names = _split(_MARK.sub("", opened.beginning.lstrip("\n")).partition("\n")[0], separator)
    what = f"It is a table ({form})"
    if not _header(names):
        return Unusable(
            FORM, f"{what} without a line of column names.", f"Put one at its top, like id{separator}abstract"
        )
    listed = ", ".join(f"`{name.strip()[:40]}`" for name in names[:20])
    wanted = f"`{columns.text}`" if columns.text else "`abstract`"
    return Unusable(FORM, f"{what} without a column {wanted}; there are {listed}.", HOW_TO_NAME)
