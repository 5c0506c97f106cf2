"""A record with named fields becomes an item: which of them is the abstract, which the id, which the title."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.input.encoding import scrubbed, stray_bytes
from service.input.item import Columns, Item

# Names without case, spaces and signs. Of several the first one with a value counts.
ABSTRACT: Final = ("abstract", "ab", "abstracttext", "abstractnote", "abstractinvertedindex", "summary", "description",
                   "n2", "dcdescription")  # fmt: skip
HOW_TO_NAME: Final = "Name the one that holds the abstract: --text-column NAME (in the API ?text_column=NAME)"
_ID: Final = ("id", "identifier", "paperid", "corpusid", "pmid", "doi", "arxivid", "eid", "ut", "key", "citekey", "an")
_TITLE: Final = ("title", "ti", "t1", "articletitle", "documenttitle", "displayname")
_WISHES: Final = ("threshold", "top_k", "also")
_INNER: Final = ("message", "attributes", "_source", "metadata", "fields", "paper")
"""Members in which some services wrap the record proper."""
_TEXT: Final = ("text", "value", "content", "#text", "$t", "p", "description")
_LABEL: Final = ("label", "heading", "section")
_MAX_WORDS: Final = 100_000
_MAX_ID: Final = 256
_SIGNS: Final = re.compile(r"[\W_]+")
# arXiv's own news feeds put this in front.
_ANNOUNCED: Final = re.compile(r"\s*arXiv:\S{1,40}\s+Announce Type:[^\n]{0,40}\s*Abstract:\s*")


def plain(name: str) -> str:
    """A field's name without case, spaces and signs."""
    return _SIGNS.sub("", name).lower()


def find(names: Iterable[str], wanted: str | None, usual: Iterable[str]) -> list[str]:
    """Those of a record's names that may be meant: the `wanted` one, or the `usual` ones, best first."""
    if wanted is not None:
        return [name for name in names if name == wanted] or [name for name in names if plain(name) == plain(wanted)]
    known = {plain(name): name for name in reversed(list(names))}
    return [known[name] for name in usual if name in known]


def as_item(
    value: object, place: str, columns: Columns, line: int | None = None, default_id: str | None = None
) -> Item:
    """The item of a JSON value, or of another record's fields; `default_id` where none of them is an id."""
    if isinstance(value, str):
        return text_item(value, place, line)
    if not isinstance(value, Mapping):
        return Item(place, problem='It is no object with an `abstract`, like {"abstract": "..."}.', line=line)
    record = _inner(value, columns)
    abstract, problem = _abstract(record, columns)
    found = (_id(record[name]) for name in find(record, columns.id, _ID))
    input_id = next((one for one in found if one is not None), default_id if columns.id is None else None)
    title = next((text for name in find(record, None, _TITLE) if (text := _joined(record[name]))), None)
    if problem is None and input_id is not None and len(input_id) > _MAX_ID:
        problem = f"Its id has {len(input_id)} characters. Give at most {_MAX_ID}."
    return Item(
        place,
        abstract=abstract if problem is None else None,
        problem=problem,
        line=line,
        input_id=None if input_id is None else scrubbed(input_id[:_MAX_ID]),
        title=scrubbed(title) if title else None,
        wishes={name: record[name] for name in _WISHES if name in record},
        fields=record,
    )


def text_item(text: str, place: str, line: int | None = None) -> Item:
    """The item of a bare text."""
    problem = stray_bytes(text)
    return Item(place, abstract=None if problem else text, problem=problem, line=line)


def _inner(record: Mapping[Any, Any], columns: Columns) -> Mapping[str, Any]:
    if not find(record, columns.text, ABSTRACT):
        for name in _INNER:
            inner = record.get(name)
            if isinstance(inner, Mapping) and find(inner, columns.text, ABSTRACT):
                return {**record, **inner}
    return record


def _abstract(record: Mapping[str, Any], columns: Columns) -> tuple[str | None, str | None]:
    """The abstract, or what is wrong with it."""
    names = find(record, columns.text, ABSTRACT)
    if not names:
        return None, _missing(record, columns)
    name = next((name for name in names if record[name] not in (None, "", [], {})), names[0])
    value = record[name]
    text = _joined(value)
    if text is None:
        what = "null" if value is None else "no text" if value else "empty"
        return None, f"`{scrubbed(name)}` is {what}. Give the abstract's text."
    if announced := _ANNOUNCED.match(text):
        text = text[announced.end() :]
    return (text, None) if (problem := stray_bytes(text)) is None else (None, problem)


def _missing(record: Mapping[str, Any], columns: Columns) -> str:
    names = ", ".join(f"`{scrubbed(str(name))[:40]}`" for name in list(record)[:12])
    wanted = f"`{columns.text}`" if columns.text else "`abstract`"
    if not names:
        return f"There is no {wanted} in it: it is empty."
    return f"There is no {wanted} in it, but {names}. {HOW_TO_NAME}"


def _id(value: object) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        return str(value).strip() or None
    except ValueError:  # thousands of digits
        return None


def _joined(value: object, depth: int = 3) -> str | None:
    """The text of a value: itself, or its pieces put together; None for anything else, and for nothing."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, Mapping):
        return _of_words(value) or _of_piece(value, depth)
    if isinstance(value, list) and depth:
        pieces = [_joined(piece, depth - 1) for piece in value]
        return " ".join(piece for piece in pieces if piece) or None
    return None


def _of_piece(piece: Mapping[Any, Any], depth: int) -> str | None:
    texts = (_joined(piece[name], depth - 1) for name in _TEXT if depth and name in piece)
    text = next((text for text in texts if text), None)
    label = next((piece[name] for name in _LABEL if isinstance(piece.get(name), str)), "")
    heading = f"{label.strip()}: " if label.strip() and plain(label) != "abstract" else ""
    return heading + text if text else None


def _of_words(index: Mapping[Any, Any]) -> str | None:
    """The text of an inverted index, as OpenAlex has it: {word: [places]}; None if it is none."""
    if not index or not all(isinstance(places, list) for places in index.values()):
        return None
    words = [(place, word) for word, places in index.items() for place in places]
    if len(words) > _MAX_WORDS or not all(type(place) is int and isinstance(word, str) for place, word in words):
        return None
    return " ".join(word for _, word in sorted(words)) or None
