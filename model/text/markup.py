"""JATS, HTML, MathML and entities -> the text that they show. A "<" that opens no element is mathematics and stays."""

import re
from collections.abc import Callable
from html import unescape
from html.entities import html5
from typing import Final

_ENTITY: Final = re.compile(
    r"&(?:(?:amp|#38|#[xX]26);)*(?P<name>#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
)
"""A reference to a character; its ampersand may have been escaped, more than once."""

# Nothing is matched twice over (the possessive quantifiers), so that no text costs more than its length.
_ATTRIBUTES: Final = r"(?P<attributes>(?:\s++[a-z_][\w:.-]*+\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'|[^\s\"'<>=]*+))*+)\s*+"
_TAG: Final = re.compile(
    rf"<(?P<slash>/?)(?P<name>(?:(?:[a-z][a-z0-9]++|m):)?+[a-z][a-z0-9.-]*+){_ATTRIBUTES}/?>", re.IGNORECASE
)
_ANY_TAG: Final = re.compile(r"<[^<>]*+>")

_INLINE_NAMES: Final = (
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub "
    "sup tt u var wbr "
    "abbrev alternatives bold email ext-link fixed-case fn inline-formula inline-graphic italic monospace "
    "named-content overline roman sans-serif sc styled-content tex-math underline uri xref "
    "math mfenced mfrac mmultiscripts mover mpadded mroot mrow msqrt mstyle msub msubsup msup mtext munder "
    "munderover semantics"
)
"""Elements of HTML, JATS and MathML that go with the word that they stand in. `mi`, `mn`, `mo`: only inside `math`."""
_BLOCK_NAMES: Final = (
    "article blockquote body br dd div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr html img li ol p pre section "
    "table tbody td tfoot th thead title tr ul "
    "abstract boxed-text break caption def-item def-list disp-formula disp-formula-group disp-quote graphic label "
    "list list-item sec statement table-wrap trans-abstract "
    "abstracttext copyrightinformation otherabstract"
)
"""Elements of HTML, JATS and PubMed that stand on lines of their own."""
_INLINE: Final = frozenset(_INLINE_NAMES.split())
_BLOCK: Final = frozenset(_BLOCK_NAMES.split())
_AMBIGUOUS: Final = frozenset(("a", "b", "i", "p", "q", "s", "sc", "u"))
"""Elements that may as well be a quantity in brackets, "<p>" for a mean: not without an end, or attributes."""

_NAMESPACE: Final = r"(?:[a-z][a-z0-9]*+:)?+"
Pattern = re.Pattern[str]


def _element(name: str) -> tuple[Pattern, Pattern]:
    return (
        re.compile(rf"<{_NAMESPACE}{name}{_ATTRIBUTES}>", re.IGNORECASE),
        re.compile(rf"</{_NAMESPACE}{name}\s*+>", re.IGNORECASE),
    )


_ALTERNATIVES: Final = _element("alternatives")
_TEX: Final = _element("tex-math")
_MATH: Final = _element("math")
_ANNOTATION: Final = _element("annotation(?:-xml)?")
_HIDDEN: Final = (
    _element("(?:script|style)"),
    (re.compile("<!--"), re.compile("-->")),
    (re.compile(r"<\?xml"), re.compile(r"\?>")),
    (re.compile("<!doctype", re.IGNORECASE), re.compile(">")),
)
_CDATA: Final = (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>"))
_ROUNDS: Final = 8


def resolve_markup(text: str) -> str:
    """The text without tags and entities; a line's end where an element stands on lines of its own."""
    for _ in range(_ROUNDS):
        if "<" not in text and "&" not in text:
            break
        before, text = text, _ENTITY.sub(_character, _strip(text))
        if text == before:
            break
    return text


def _character(reference: re.Match[str]) -> str:
    name = reference["name"]
    return unescape(f"&{name};") if name[0] == "#" else html5.get(f"{name};", f"&{name};")


def _strip(text: str) -> str:
    if "<" not in text:
        return text
    text = _replace(text, _CDATA, str)
    for hidden in _HIDDEN:
        text = _replace(text, hidden, lambda _: " ")
    text = _replace(text, _ALTERNATIVES, _one_alternative)
    text = _replace(text, _TEX, _body)
    text = _replace(text, _MATH, _shown)
    ended = {tag["name"].lower() for tag in _TAG.finditer(text) if tag["slash"]}
    return _TAG.sub(lambda tag: _space(tag, ended), text)


def _replace(text: str, element: tuple[Pattern, Pattern], instead: Callable[[str], str]) -> str:
    """The text with `instead(content)` in the place of each such element that has an end."""
    opening, closing = element
    parts, at = [], 0
    while (begin := opening.search(text, at)) and (end := closing.search(text, begin.end())):
        parts += [text[at : begin.start()], instead(text[begin.end() : end.start()])]
        at = end.end()
    return "".join([*parts, text[at:]])


def _space(tag: re.Match[str], ended: set[str]) -> str:
    """What a tag leaves: nothing, a line's end, or itself if it is none."""
    name = tag["name"].lower()
    namespace, _, local = name.rpartition(":")
    if name in _AMBIGUOUS and not (name in ended or tag["slash"] or tag["attributes"]) and not _opens(tag):
        return tag[0]
    if local in _BLOCK:
        return "\n"
    return "" if local in _INLINE or namespace else tag[0]


def _opens(tag: re.Match[str]) -> bool:
    """Whether it is a paragraph's tag, to judge from what stands before: HTML does not ask for its end."""
    before = tag.string[max(0, tag.start() - 20) : tag.start()].rstrip()
    return tag["name"] in "pP" and before[-1:] in ("", ".", "?", "!", ":", ">")


def _one_alternative(content: str) -> str:
    return _replace(content, _TEX, lambda _: "") if _MATH[0].search(content) else content


def _body(tex: str) -> str:
    """What Springer's documents of one formula typeset."""
    return tex.rpartition(r"\begin{document}")[2].partition(r"\end{document}")[0]


def _shown(math: str) -> str:
    """The text of MathML's tokens; white space between elements is none of it."""
    math = _replace(math, _ANNOTATION, lambda _: "")
    return _ANY_TAG.sub("", re.sub(r">\s+(?=<)", ">", math.strip()))
