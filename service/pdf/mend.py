"""Lines -> one text: words whole that a line's end cut, nothing of what publishers print behind an abstract."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from model.text import cut_edges
from model.text.hyphens import join_lines

_LETTERS: Final = dict(zip(range(0xFB00, 0xFB07), ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))
_HIDDEN: Final = dict.fromkeys((0xAD, 0x200B, 0xFEFF), "")

_TAIL: Final = re.compile(
    r"""(?<=[.?!)])\s*(?:
      copyright\s*[^\w\s]?\s*(?:19|20)\d\d | doi\s*[:/] | https?://(?:dx\.)?doi\.org
    | key[\s-]?words?(?:\s+and\s+phrases)?\s*[:.–—-] | pacs\b | index\s+terms
    | (?:cr\s+)?categories(?:\s+and|:) | general\s+terms | published\s+(?:in|online)\s.{0,12}\d{4}
    | (?-i:[A-Z][A-Za-z.&\s]{2,60}\s\(?(?:19|20)\d\d\)?[,;:]?\s\d+[,:]\s?\d+[–-]\d+)
    | (?-i:[A-Z][A-Za-z.&\s]{2,50}\s\d+(?:\s?\(\w+\))?\s?:\s?\w?\d+[–-]\w?\d+)
    ).{0,400}$""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""What is printed on an abstract's last line besides the copyright: keywords, identifiers, the journal's reference."""


def mend(lines: Iterable[str]) -> str:
    """One line of text."""
    text = join_lines("\n".join(line.strip() for line in lines))
    text = _TAIL.sub("", _plain(" ".join(text.split())))
    return cut_edges(text)


def _plain(text: str) -> str:
    """NFC without ligatures, and plain letters for those of mathematics (U+1D400 to U+1D7FF), as in abstracts."""
    text = "".join(unicodedata.normalize("NFKC", c) if "\U0001d400" <= c <= "\U0001d7ff" else c for c in text)
    return unicodedata.normalize("NFC", text.translate(_LETTERS | _HIDDEN))
