"""JSON that is no object a line: a list, an object over several lines, or what a service answers around its records."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TextIO

from service.input.errors import Unusable
from service.input.forms.fields import ABSTRACT, as_item, find
from service.input.item import MAX_BLOCK, Columns, Item
from service.input.opened import Opened

FORM: Final = "JSON"
_BEGINNING: Final = re.compile(r'\s*(\{\s*("|\}|$)|\[\s*([\[{"\]]|$))')
_LISTS: Final = frozenset((
    "abstracts", "articles", "data", "docs", "entries", "hits", "items", "papers", "publications", "records",
    "response", "result", "results", "rows", "works",
))  # fmt: skip
"""Members that hold a list of records: of Crossref, OpenAlex, Europe PMC, Semantic Scholar, DataCite, Solr, ..."""
_AROUND: Final = frozenset(("message", "response", "hits", "resultlist", "result", "feed", "data"))
"""Members around such a list, or around the one record."""
_MAX_DEPTH: Final = 4
_SPACE: Final = re.compile(r"\s*")
_CHUNK: Final = 1 << 16
_DECODER: Final = json.JSONDecoder()


def matches(opened: Opened, _columns: Columns) -> bool:
    """It begins like an object, or like a list of objects or texts."""
    return _BEGINNING.match(opened.beginning[:4096]) is not None


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """An item a record, without holding more than one; Unusable where it is no JSON."""
    with opened.text() as text:
        for number, value in enumerate(_Document(text, columns).records(), 1):
            yield as_item(value, f"record {number}", columns)


class _Document:
    """JSON values one after the other, or within lists, read piece by piece."""

    def __init__(self, text: TextIO, columns: Columns) -> None:
        self._text = text
        self._columns = columns
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._size = 0

    def records(self) -> Iterator[object]:
        """Whatever stands for a record."""
        while self._peek():
            yield from self._list() if self._peek() == "[" else self._object({}, 0)

    def _list(self) -> Iterator[object]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            self._size = 0
            yield self._value()
            if self._peek() != ",":
                break
            self._take(",")
        self._take("]")

    def _object(self, around: Mapping[str, Any], depth: int) -> Iterator[object]:
        """The records in the object, or itself as one, with the members of those around it."""
        record, found = dict(around), False
        own = self._named(record)
        if depth == 0:
            self._size = 0
        self._take("{")
        while self._peek() != "}":
            name = self._name()
            inner = None if own else self._within(name, record, depth)
            if inner is None:
                record[name] = self._value()
                own = own or self._named([name])
            else:
                yield from inner
                found = True
            if self._peek() != ",":
                break
            self._take(",")
        self._take("}")
        if own or not found:
            yield record

    def _within(self, name: str, record: Mapping[str, Any], depth: int) -> Iterator[object] | None:
        """The records in the member that begins here; None if it is an ordinary one."""
        if self._peek() == "[" and name.lower() in _LISTS:
            return self._list()
        if self._peek() == "{" and name.lower() in _AROUND and depth < _MAX_DEPTH:
            return self._object(record, depth + 1)
        return None

    def _named(self, names: Iterable[str]) -> bool:
        """Whether one of these names is an abstract's."""
        return bool(find(names, self._columns.text, ABSTRACT))

    def _name(self) -> str:
        name = self._value() if self._peek() == '"' else None
        if not isinstance(name, str):
            raise self._wrong("a name in quotes is missing")
        self._peek()
        self._take(":")
        return name

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._wrong(f"`{sign}` is missing")
        self._at += 1
        self._size += 1

    def _value(self) -> Any:
        self._peek()
        while True:
            wrong = None
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or not self._fill():
                    self._size += end - self._at
                    self._at = end
                    return value
            except json.JSONDecodeError as exc:
                wrong = exc.msg
            except RecursionError:
                raise self._wrong("it is nested too deeply") from None
            except ValueError:
                raise self._wrong("a number has too many digits") from None
            if wrong and not self._fill():
                raise self._wrong(wrong)

    def _fill(self) -> bool:
        """Reads as much again as is held; whether there was more."""
        more = self._text.read(max(_CHUNK, len(self._buffer) - self._at))
        self._line += self._buffer.count("\n", 0, self._at)
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        if more and self._size + len(self._buffer) > MAX_BLOCK + 2 * _CHUNK:
            raise self._wrong(f"a record has more than {MAX_BLOCK} characters")
        return bool(more)

    def _wrong(self, what: str) -> Unusable:
        line = self._line + self._buffer.count("\n", 0, self._at)
        return Unusable(FORM, f"It is not JSON that can be read: {what} (line {line}).", "Fix it there.")
