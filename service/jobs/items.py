"""Entries as jobs store them: until they are worked off, or, if something is wrong with one, as its outcome."""

import json
from typing import Any, Final

from service.predicting.abstracts import Abstract, abstract_or_error
from service.predicting.entries import Entry
from service.predicting.rendering import DEFAULT_OPTIONS
from storage.records.chunks import Item

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
