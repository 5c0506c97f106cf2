"""Reads abstracts from whatever file people have: the form is chosen by content first, by name second."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, Final, Protocol

from service.input import packed
from service.input.encoding import scrubbed
from service.input.errors import InputError, Unsupported, Unusable
from service.input.forms import bibtex, jsondocument, jsonlines, prose, tables, tagged, xml
from service.input.item import MAX_PAPER, Columns, Item
from service.input.opened import Opened
from service.input.refused import refuse_bytes, refuse_text


class Form(Protocol):
    """A form of file: a module of `forms`."""

    def matches(self, opened: Opened, columns: Columns, /) -> bool:
        """Whether a file is of this form, by its beginning."""

    def read(self, opened: Opened, columns: Columns, /) -> Iterator[Item]:
        """Its items; InputError where none can be had."""


FORMS: Final[tuple[Form, ...]] = (jsonlines, jsondocument, xml, tagged, bibtex, tables, prose)
"""In the order in which they are tried."""
_HELD: Final = 1000
"""Records that may be bad from the start before the whole file is refused."""
_MAX_DEPTH: Final = 2
"""Packings around one another: a .csv.gz in a .zip, and no more."""


def read(
    source: BinaryIO,
    name: str = "",
    *,
    text_column: str | None = None,
    id_column: str | None = None,
) -> Iterator[Item]:
    """The records of a file, in order, read as they are asked for; none for one without content.

    source: its bytes; `name` only helps. text_column, id_column: the names under which records have the abstract and
    their id; without, the usual ones (`abstract`, `summary`, ...; `id`, `doi`, ...).

    A record that cannot be used is an item with its `problem`. Raises InputError, when asked for the first item, for a
    file of a form that is not read, or of whose (first thousand) records none can be used; later on for one that turns
    out to be damaged. Memory is bounded, whatever the file's size.
    """
    columns = Columns(text_column, id_column)
    opened = Opened.over(source, name)
    try:
        yield from _usable(_items(opened, source, columns, 0))
    except InputError as exc:
        raise exc.within(name) from exc


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins so is a PDF."""
    return b"%PDF-" in head[:1024]


def _usable(items: Iterable[Item]) -> Iterator[Item]:
    """The items; Unusable if none of the first ones is good."""
    held: list[Item] = []
    rest = iter(items)
    for item in rest:
        held.append(item)
        if item.problem is None:
            yield from held
            yield from rest
            return
        if len(held) == _HELD:
            break
    if held:
        first = f"{held[0].place}: {held[0].problem}"
        raise Unusable("", first if len(held) == 1 else f"None of {len(held)} records can be used. {first}", "")


def _items(opened: Opened, original: BinaryIO, columns: Columns, depth: int) -> Iterator[Item]:
    inner = packed.unpacked(opened)
    if (inner is not None or packed.is_archive(opened)) and depth == _MAX_DEPTH:
        raise Unusable("", "It is packed several times over.", "Unpack it.")
    if inner is not None:
        yield from _items(inner, inner.source, columns, depth + 1)
    elif packed.is_archive(opened):
        for name, member in packed.members(opened, original):
            yield from _member(name, member, columns, depth + 1)
    elif is_pdf(opened.head):
        yield Item("PDF", pdf=opened.source.read(MAX_PAPER + 1), input_id=scrubbed(opened.name) or None)
    else:
        yield from _texts(opened, columns)


def _texts(opened: Opened, columns: Columns) -> Iterator[Item]:
    if not opened.beginning.strip() and opened.complete:
        return
    refuse_bytes(opened)
    refuse_text(opened)
    form = next(form for form in FORMS if form.matches(opened, columns))
    if form is prose and opened.suffix == ".pdf":
        raise Unsupported("text", "It is called .pdf, but is no PDF.", "Get the paper again, or call it .txt.")
    yield from form.read(opened, columns)


def _member(name: str, member: Opened, columns: Columns, depth: int) -> Iterator[Item]:
    """The items of a file in an archive; one that is refused is an item with its problem."""
    try:
        for item in _items(member, member.source, columns, depth):
            yield replace(item, place=f"{scrubbed(name)}, {item.place}")
    except InputError as exc:
        yield Item(scrubbed(name), problem=str(exc))
