"""Lines -> one text: hyphenation undone, ligatures taken apart."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from service.pdf.words import words

_LIGATURES: Final = {0xFB00 + i: letters for i, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))} | {
    0xAD: "",
    0x200B: "",
    0xFEFF: "",
}
_BREAK: Final = re.compile(r"([^\W\d_]+)[-‐]$")
_BEGIN: Final = re.compile(r"^([^\W\d_]+)")

_TAIL: Final = re.compile(
    r"(?<=[.?!])\s*(?:©|\(c\)\s*\d{4}|copyright\b|doi\s*:|key\s?words?\s*[:.–—-]|pacs\b|index terms).{0,300}$",
    re.IGNORECASE | re.DOTALL,
)
"""What publishers print on an abstract's last line."""


def mend(lines: Iterable[str], known: Collection[str]) -> str:
    """One line of text. `known` are the document's words in lower case; they tell apart hyphens of the two kinds."""
    text = ""
    for line in lines:
        text = _append(text, line.strip(), known)
    text = _TAIL.sub("", text)
    text = unicodedata.normalize("NFC", text.translate(_LIGATURES))
    return " ".join(text.split())


def vocabulary(pages: Iterable[Iterable[str]]) -> frozenset[str]:
    """The words of the pages' lines in lower case, without those that a line's end cuts in two."""
    found: set[str] = set()
    for page in pages:
        cut = False
        for line in page:
            inside = words(line)
            whole = [word.lower() for word in inside[cut : len(inside) - bool(_BREAK.search(line))]]
            found.update(whole, *(word.split("-") for word in whole))
            cut = bool(_BREAK.search(line))
    return frozenset(found)


def _append(text: str, line: str, known: Collection[str]) -> str:
    if not text:
        return line
    end, begin = _BREAK.search(text), _BEGIN.match(line)
    if end is None or begin is None:
        return text + ("" if text.endswith(("–", "—", "/")) else " ") + line
    if begin[1][0].isupper() or _is_compound(end[1].lower(), begin[1].lower(), known):
        return text + line
    return text[:-1] + line


def _is_compound(left: str, right: str, known: Collection[str]) -> bool:
    """Whether the hyphen belongs to the word: the document has it so, or has both parts as words and not the whole."""
    if left + right in known:
        return False
    if f"{left}-{right}" in known:
        return True
    return len(left) > 2 and len(right) > 2 and left in known and right in known
