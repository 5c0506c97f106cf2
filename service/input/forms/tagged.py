"""Records of tagged lines: RIS, MEDLINE (nbib), Web of Science, EndNote's refer. rispy parses them."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rispy import RisParser, WokParser

from service.input.errors import Unusable
from service.input.forms.fields import as_item
from service.input.item import MAX_BLOCK, Columns, Item
from service.input.opened import Opened

FORM: Final = "tagged records"
_NAMES: Final = {"AB": "abstract", "N2": "n2", "TI": "title", "T1": "t1", "DO": "doi", "AN": "an", "ID": "id"}
_TEXTS: Final = ["AB", "N2", "TI", "T1", "%X", "%T"]


class _Ris(RisParser):
    """RIS as it is found: with one blank or two in front of the hyphen, without one behind it."""

    DEFAULT_MAPPING: ClassVar[dict[str, str]] = _NAMES | {"TY": "type", "ER": "end"}
    DEFAULT_LIST_TAGS: ClassVar[list[str]] = _TEXTS
    DEFAULT_DELIMITER_MAPPING: ClassVar[dict[str, str]] = {}
    _LINE: ClassVar[re.Pattern[str]] = re.compile(r"([A-Z][A-Z0-9])[ ]{1,2}-(?: (.*)|$)")

    def parse_line(self, line: str) -> tuple[Any, str]:
        """The tag, None if the line goes on with what stands above; the content."""
        found = self._LINE.match(line)
        return (found[1], (found[2] or "").strip()) if found else (None, line.strip())


class _Medline(_Ris):
    START_TAG = "PMID"
    DEFAULT_MAPPING: ClassVar[dict[str, str]] = {"PMID": "pmid", "AB": "abstract", "TI": "title", "ER": "end"}
    _LINE = re.compile(r"([A-Z]{2,4}) {0,2}-(?: (.*)|$)")


class _WebOfScience(WokParser):
    DEFAULT_MAPPING: ClassVar[dict[str, str]] = {"PT": "type", "AB": "abstract", "TI": "title", "UT": "ut", "DI": "doi"}
    DEFAULT_LIST_TAGS: ClassVar[list[str]] = _TEXTS


class _Refer(_Ris):
    START_TAG = "%0"
    DEFAULT_MAPPING: ClassVar[dict[str, str]] = {
        "%0": "type",
        "%X": "abstract",
        "%T": "title",
        "%R": "doi",
        "ER": "end",
    }
    _LINE = re.compile(r"(%[A-Z0-9!@#$*+^&<>?~]|ER)(?: (.*)|$)")


@dataclass(frozen=True)
class _Dialect:
    """A form: how its first line looks, how a record begins, and which parser takes one record."""

    name: str
    first: re.Pattern[str]
    start: re.Pattern[str]
    parser: Callable[..., RisParser]
    end: str = "ER  -"


_DIALECTS: Final = tuple(
    _Dialect(name, re.compile(first), re.compile(start), parser, end)
    for name, first, start, parser, end in (
        ("RIS", r"TY {1,2}-( |$)", r"TY {1,2}-( |$)", _Ris, "ER  -"),
        ("MEDLINE", r"PMID ?- ?\d", r"PMID ?- ?\d", _Medline, "ER  -"),
        ("Web of Science", r"(FN |PT [A-Z]$)", r"PT [A-Z]$", _WebOfScience, "ER"),
        ("EndNote refer", r"%0 \S", r"%0 \S", _Refer, "ER"),
    )
)


def matches(opened: Opened, _columns: Columns) -> bool:
    """Its first line is that of one of the dialects; a RIS file may begin with others."""
    return _dialect(opened) is not None


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """An item a record; Unusable where there is none."""
    dialect = _dialect(opened)
    if dialect is None:
        raise Unusable(FORM, "There are no tagged records in it.", "Export it again, as RIS.")
    parser = dialect.parser(skip_unknown_tags=True)
    for number, (line, lines) in enumerate(_records(opened, dialect), 1):
        yield _item(parser, [*lines, dialect.end], f"record {number}", line, columns)


def _dialect(opened: Opened) -> _Dialect | None:
    lines = [line.rstrip() for line in opened.beginning.split("\n", 50)]
    first = next((line for line in lines if line), "")
    for dialect in _DIALECTS:
        if dialect.first.match(first):
            return dialect
    return _DIALECTS[0] if opened.suffix == ".ris" and any(map(_DIALECTS[0].start.match, lines)) else None


def _records(opened: Opened, dialect: _Dialect) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line, and the lines, of each record."""
    record: list[str] = []
    begin = size = 0
    with opened.text() as text:
        for number, line in enumerate(iter(lambda: text.readline(MAX_BLOCK), ""), 1):
            if dialect.start.match(line.rstrip()):
                if record:
                    yield begin, record
                record, begin, size = [], number, 0
            if begin and not re.match(r"E[RF]( |$)", line.rstrip()):
                record.append(line.rstrip("\n"))
                size += len(line)
            if size > MAX_BLOCK:
                raise Unusable(dialect.name, f"The record at line {begin} has more than {MAX_BLOCK} characters.", "")
    if record:
        yield begin, record


def _item(parser: RisParser, lines: list[str], place: str, line: int, columns: Columns) -> Item:
    try:
        (record,) = parser.parse_lines(iter(lines))
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        return Item(place, problem=f"It is not well-formed ({type(exc).__name__}: {exc}). Export it again.", line=line)
    return as_item(_plain(record), place, columns, line)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value not in ("", [], [""])}
