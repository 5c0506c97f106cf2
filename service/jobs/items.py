"""Entries as jobs store them: until they are worked off, or, if something is wrong with one, as its outcome.

A paper is stored as it came, and read when it is worked off, so that taking a job in takes no longer than storing it.
"""

import base64
import json
from typing import Any, Final

from service.pdf.errors import PdfTooLarge
from service.predicting.abstracts import Abstract, abstract_or_error
from service.predicting.entries import Entry
from service.predicting.rendering import DEFAULT_OPTIONS
from storage.records.chunks import Item

MAX_PAPER: Final = 14 << 20
"""Bytes of a paper in a job: a value in Couchbase may have 20 MiB, and base64 takes a third more."""
_KEPT: Final = ("input_id", "threshold", "top_k", "also")


def to_item(entry: Entry) -> Item:
    """What is stored of an entry: its text alone, an object with what came with it, or the outcome that it has."""
    if not isinstance(entry.abstract, Abstract):
        outcome: Item = json.loads(entry.render(entry.abstract, DEFAULT_OPTIONS))
        return outcome
    more = {name: getattr(entry, name) for name in _KEPT}
    kept = {name: value for name, value in more.items() if value is not None}
    return {"abstract": entry.abstract.raw, **kept} if kept else entry.abstract.raw


def to_entry(item: Item) -> Entry | None:
    """The entry that is to be worked off; None if the item is an outcome."""
    if isinstance(item, str):
        return Entry(abstract_or_error(item))
    if "abstract" not in item:
        return None
    kept: dict[str, Any] = {name: item.get(name) for name in _KEPT}
    return Entry(abstract_or_error(item["abstract"]), **kept)


def paper_item(pdf: bytes, input_id: str | None) -> Item:
    """What is stored of a paper: its bytes, or its outcome if there are too many."""
    if len(pdf) > MAX_PAPER:
        return to_item(Entry(PdfTooLarge(f"In a job a PDF may have {MAX_PAPER} bytes. Send it by itself."), input_id))
    return {"pdf": base64.b64encode(pdf).decode(), "input_id": input_id}


def is_paper(item: Item) -> bool:
    """Whether the item is a paper."""
    return isinstance(item, dict) and "pdf" in item


def paper_of(item: Item) -> tuple[bytes, str | None]:
    """A paper's bytes and the name of its file."""
    assert isinstance(item, dict)  # noqa: S101  (it is a paper)
    return base64.b64decode(item["pdf"]), item.get("input_id")
