"""Words that the end of a line has cut in two."""

import re
from functools import cache
from pathlib import Path
from typing import Final

WORDS: Final = Path(__file__).parent / "words.txt"
"""Words of abstracts, a line each, in lower case, that are more often written as one than with a hyphen inside.
They decide the normal form: NORMALISER_VERSION goes up with them."""

_CUT: Final = re.compile("([-\u2010\u2011\u00ad])(?:[ \t\r]*(\n)\\s*| )(?=(\\w+)(-?))")
_LETTERS: Final = re.compile(r"[^\W\d_]+$")
_LONGEST: Final = 40
_SUSPENDED: Final = frozenset(("and", "as", "but", "nor", "or", "than", "to", "versus", "vs"))
"""What follows a hyphen that stands for a word to come: "short- and long-range"."""


def join_lines(text: str) -> str:
    """The text without the ends of lines that a hyphen precedes.

    "renormal-\\nization" is one word, and so is what a soft hyphen cut; "centre-of-\\nmass" and "Navier-\\nStokes" keep
    their hyphen: the word as a whole is not known, its parts are. Where there is a space in the place of the line's
    end, "renormal- ization", only what is surely one word is joined.
    """
    return _CUT.sub(_join, text)


def _join(cut: re.Match[str]) -> str:
    hyphen, line_end, right, _ = cut.groups()
    found = _LETTERS.search(cut.string[max(0, cut.start() - _LONGEST) : cut.start()])
    left = found[0] if found else ""
    if hyphen == "\u00ad":
        return "" if left and line_end else cut[0][1:]
    if len(left) < 2 or len(right) < 2 or not right.isalpha() or right[0].isupper():
        return "-" if line_end else cut[0]
    if not line_end:
        return "" if _is_whole(left, right) and not _are_parts(left, right) else cut[0]
    if right in _SUSPENDED and not cut[4]:
        return "- "
    is_compound = left.isupper() or _are_parts(left, right) or (left[0].isupper() and right in known_words())
    return "-" if is_compound and not _is_whole(left, right) else ""


def _is_whole(left: str, right: str) -> bool:
    return (left + right).lower() in known_words()


def _are_parts(left: str, right: str) -> bool:
    return left.lower() in known_words() and right in known_words()


@cache
def known_words() -> frozenset[str]:
    """The words in WORDS."""
    return frozenset(WORDS.read_text("utf-8").split())
