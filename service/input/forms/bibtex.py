"""BibTeX and BibLaTeX: bibtexparser parses the entries."""

import logging
import re
from collections.abc import Iterator
from typing import Any, Final

from service.input.errors import Unusable
from service.input.forms.fields import as_item
from service.input.forms.tex import plain_text
from service.input.item import MAX_BLOCK, Columns, Item
from service.input.opened import Opened

FORM: Final = "BibTeX"
_ENTRY: Final = re.compile(r"^[ \t]*@[A-Za-z]+[ \t]*[{(]", re.MULTILINE)
_BEGINNING: Final = re.compile(r"(%[^\n]*\n\s*)*@[A-Za-z]{2,30}\s*[{(]\s*[^\s,{}]*\s*[,=\"{]")
_PIECE: Final = 1 << 18
"""Characters that are parsed together; entries are never cut."""


def matches(opened: Opened, _columns: Columns) -> bool:
    """It begins with an entry; or its name says so and there is one."""
    head = opened.beginning
    return bool(_BEGINNING.match(head[:8192].lstrip())) or (opened.suffix == ".bib" and bool(_ENTRY.search(head)))


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """An item an entry, its key as the id where no field is; an entry that is no BibTeX is one with its problem."""
    for start, piece in _pieces(opened):
        yield from _parsed(piece, start, columns)


def _pieces(opened: Opened) -> Iterator[tuple[int, str]]:
    """Whole entries, and the number of the line with which they begin."""
    piece: list[str] = []
    start, size = 1, 0
    with opened.text() as text:
        for number, line in enumerate(iter(lambda: text.readline(MAX_BLOCK), ""), 1):
            if size > _PIECE and _ENTRY.match(line):
                yield start, "".join(piece)
                piece, start, size = [], number, 0
            piece.append(line)
            size += len(line)
            if size > MAX_BLOCK:
                raise Unusable(FORM, f"The entry before line {number} has more than {MAX_BLOCK} characters.", "")
    yield start, "".join(piece)


def _parsed(text: str, start: int, columns: Columns) -> Iterator[Item]:
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import DuplicateBlockKeyBlock, Entry, ParsingFailedBlock

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it would log is the items' problem
    for parsed in parse_string(text).blocks:
        line = start + (parsed.start_line or 0)
        block = parsed.ignore_error_block if isinstance(parsed, DuplicateBlockKeyBlock) else parsed
        if isinstance(block, Entry):
            yield _item(block, line, columns)
        elif isinstance(block, ParsingFailedBlock):
            problem = "The entry is not well-formed: mend its braces and commas."
            yield Item(f"line {line}", problem=problem, line=line)


def _item(entry: Any, line: int, columns: Columns) -> Item:
    record = {f.key: plain_text(f.value.strip().strip('"')) for f in entry.fields if isinstance(f.value, str)}
    return as_item(record, f"entry '{entry.key[:80]}'", columns, line, default_id=entry.key or None)
