"""Lines -> one text: hyphenation undone, ligatures taken apart."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

_LIGATURES: Final = {
    0xFB00 + i: letters for i, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))
} | {0xAD: "", 0x200B: "", 0xFEFF: ""}
_BREAK: Final = re.compile(r"([^\W\d_]+)[-‐]$")
_BEGIN: Final = re.compile(r"^([^\W\d_]+)")


def mend(lines: Sequence[str], vocabulary: Collection[str]) -> str:
    """One line of text. `vocabulary` has the document's words in lower case; it tells apart hyphens of the two kinds."""
    text = ""
    for line in lines:
        text = _append(text, line.strip(), vocabulary)
    text = unicodedata.normalize("NFC", text.translate(_LIGATURES))
    return " ".join(text.split())


def _append(text: str, line: str, vocabulary: Collection[str]) -> str:
    if not text:
        return line
    end, begin = _BREAK.search(text), _BEGIN.match(line)
    if end is None or begin is None:
        return text + ("" if text.endswith(("–", "—", "/")) else " ") + line
    if begin[1][0].isupper() or _is_compound(end[1].lower(), begin[1].lower(), vocabulary):
        return text + line
    return text[:-1] + line


def _is_compound(left: str, right: str, vocabulary: Collection[str]) -> bool:
    """Whether the hyphen belongs to the word: the document has it so, or has both parts as words and not the whole."""
    if left + right in vocabulary:
        return False
    if f"{left}-{right}" in vocabulary:
        return True
    return len(left) > 2 and len(right) > 2 and left in vocabulary and right in vocabulary
