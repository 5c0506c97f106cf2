"""XML with records in it: arXiv's and other Atom and RSS feeds, OAI-PMH, PubMed, JATS, MODS, TEI, EndNote."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import iterparse

from service.input.errors import Unsupported, Unusable
from service.input.forms.fields import as_item
from service.input.item import MAX_BLOCK, Columns, Item
from service.input.opened import Opened

FORM: Final = "XML"
_MAX_DEPTH: Final = 200


@dataclass(frozen=True)
class _Vocabulary:
    """Names of elements, without namespaces: of a record, and in it of the abstract, the id and the title."""

    record: tuple[str, ...]
    abstract: tuple[str, ...] = ("abstract",)
    id: tuple[str, ...] = ("identifier", "id")
    title: tuple[str, ...] = ("title",)


_VOCABULARIES: Final = {
    "feed": _Vocabulary(("entry",), ("summary", "content")),
    "rss": _Vocabulary(("item",), ("description",), ("guid", "link")),
    "RDF": _Vocabulary(("item",), ("description",)),
    "OAI-PMH": _Vocabulary(("record",), ("abstract", "description")),
    "ListRecords": _Vocabulary(("record",), ("abstract", "description")),
    "arXiv": _Vocabulary(("arXiv",)),
    "PubmedArticleSet": _Vocabulary(("PubmedArticle",), ("Abstract",), ("PMID",), ("ArticleTitle",)),
    "article": _Vocabulary(("article",), ("abstract",), ("article-id",), ("article-title",)),
    "pmc-articleset": _Vocabulary(("article",), ("abstract",), ("article-id",), ("article-title",)),
    "modsCollection": _Vocabulary(("mods",)),
    "mods": _Vocabulary(("mods",)),
    "TEI": _Vocabulary(("TEI",), ("abstract",), ("idno",)),
    "resource": _Vocabulary(("resource",), ("description",)),
    "dc": _Vocabulary(("dc",), ("description",)),
    "xml": _Vocabulary(("record",), ("abstract",), ("accession-num", "rec-number")),
    "records": _Vocabulary(("record",), ("abstract", "description")),
}
_ROOT: Final = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)([^<>]*)>?")
_SKIPPED: Final = re.compile(r"\s*(<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(\[.*?\])?[^>]*>)", re.DOTALL)
_HTML: Final = ("html", "head", "body", "script", "table", "meta", "link", "center")
# Of these an abstract itself may begin, which then is text with markup.
_INLINE: Final = frozenset((
    "abstract", "b", "bold", "br", "div", "em", "font", "h1", "h2", "h3", "h4", "i", "inline-formula", "italic", "math",
    "p", "sc", "sec", "section", "small", "span", "strong", "sub", "sup", "tex-math", "title", "u",
))  # fmt: skip
_BREAKS: Final = frozenset(("AbstractText", "br", "div", "head", "label", "li", "list-item", "p", "sec", "title"))


def matches(opened: Opened, _columns: Columns) -> bool:
    """It begins as XML or HTML, and not like a text with markup."""
    head = opened.beginning.lstrip()
    root = _root(head)
    if root is None:
        return head.startswith(("<?xml", "<!DOCTYPE", "<!doctype"))
    name, attributes = root
    if name in _INLINE and not head.startswith(("<?xml", "<!")):
        return False
    return head.startswith(("<?xml", "<!")) or "xmlns" in attributes or name in _VOCABULARIES or _is_html(name, head)


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """An item a record. Unsupported: HTML, or XML of a kind that is not known. Unusable: it is not well-formed."""
    root = _root(opened.beginning.lstrip())
    name = root[0] if root else "?"
    if _is_html(name, opened.beginning.lstrip()):
        raise Unsupported("HTML", "It is a web page (HTML).", "Give the PDF, or copy the abstract into a text file.")
    vocabulary = _VOCABULARIES.get(name)
    if vocabulary is None:
        known = "Atom, RSS, OAI-PMH, PubMed, JATS, MODS, TEI and EndNote"
        raise Unsupported(FORM, f"It is XML that is not known: its root is <{name}>.", f"Known are {known}.")
    bounded = _Bounded(opened.source)
    try:
        for number, element in enumerate(_elements(bounded, vocabulary), 1):
            yield as_item(_record(element, vocabulary), f"record {number}", columns)
            bounded.left = MAX_BLOCK
    except (ParseError, ValueError, LookupError) as exc:  # also DefusedXmlException
        what = str(exc) or type(exc).__name__
        raise Unusable(FORM, f"It is not XML that can be read: {what}.", "Get it once more.") from exc


class _Bounded:
    """A file of which at most `left` more bytes are given."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.left = MAX_BLOCK

    def read(self, size: int) -> bytes:
        """As a file's."""
        data = self._source.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise Unusable(FORM, f"A record has more than {MAX_BLOCK} bytes.", "Leave its full text out.")
        return data


def _elements(source: Any, vocabulary: _Vocabulary) -> Iterator[Element]:
    """Each record when it is complete; it is dropped afterwards."""
    path: list[Element] = []
    for event, element in iterparse(source, ("start", "end")):
        if event == "start":
            path.append(element)
            if len(path) > _MAX_DEPTH:
                raise ValueError("elements are nested too deeply")
            continue
        path.pop()
        if _local(element) in vocabulary.record and not any(_local(outer) in vocabulary.record for outer in path):
            yield element
            element.clear()
            if path:
                path[-1].remove(element)


def _record(element: Element, vocabulary: _Vocabulary) -> dict[str, str]:
    found = {
        "abstract": _first(element, vocabulary.abstract),
        "id": _first(element, vocabulary.id),
        "title": _first(element, vocabulary.title),
        "categories": _first(element, ("categories",)),
    }
    return {name: text for name, text in found.items() if text is not None}


def _first(element: Element, names: tuple[str, ...]) -> str | None:
    for name in names:
        for inner in element.iter():
            if inner is not element and _local(inner) == name and not _is_other(inner):
                return _text(inner).strip()
    return None


def _is_other(element: Element) -> bool:
    """Whether an abstract is a graphical one or the like, a description no abstract."""
    kind = element.get("abstract-type") or element.get("descriptionType") or "Abstract"
    return kind.lower() not in ("abstract", "summary")


def _text(element: Element) -> str:
    """All text in it; parts of it stand apart, words with markup in them do not."""
    label = element.get("Label") or element.get("label")
    parts = [f"{label}: " if label else "", element.text or ""]
    for inner in element:
        apart = " " if _local(inner) in _BREAKS else ""
        parts += (apart, _text(inner), apart, inner.tail or "")
    return "".join(parts)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _root(head: str) -> tuple[str, str] | None:
    """Name and attributes of the first element, without its prefix."""
    head, at = head[:8192], 0
    while found := _SKIPPED.match(head, at):
        at = found.end()
    root = _ROOT.match(head[at:].lstrip())
    return (root[1], root[2]) if root else None


def _is_html(name: str, head: str) -> bool:
    return name.lower() in _HTML or head[:200].lower().startswith("<!doctype html")
