"""The normal form of an abstract. docs/texts.md tells users what it is."""

import re
import unicodedata
from typing import Final

from model.text.edges import cut_edges
from model.text.hyphens import join_lines
from model.text.markup import resolve_markup

NORMALISER_VERSION: Final = 2
"""Goes up with every change of the normal form: it is part of each cache key and of each artifact's digest."""

_URL: Final = re.compile(
    r"[fhwFHW](?<=\b.)(?:(?<=[hH])[tT][tT][pP][sS]?://|(?<=[fF])[tT][pP]://|(?<=[wW])(?:ww|WW)\.)"
    r"[^\s<>\"]*[^\s<>\"'.,;:!?()\[\]{}]/?"
)
"""That it begins with a set of letters is for speed."""

_DROPPED: Final = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
"""What cannot be seen: soft hyphens, joiners, marks of direction, invisible operators, variants."""
_REPLACED: Final = str.maketrans(
    dict(zip("\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))
    | {"\u2010": "-", "\u2011": "-"}
)
"""Ligatures, and the two hyphens that look like ASCII's."""
_PILE: Final = re.compile(r"([^\w\s!-~]{30})[^\w\s!-~]+")
"""More marks on one letter than any script has; without a limit (that of Unicode's stream-safe form), to order them
takes the square of their number."""
_PRINTABLE_BUT: Final = re.compile("[\u034f\u2010\u2011\ufb00-\ufb06\ufe00-\ufe0f]|" + _PILE.pattern)
"""What of this `str.isprintable` does not find."""

_ROUNDS: Final = 8
"""A text that is still changing then was made to."""


def normalise(abstract: str) -> str:
    """Bring an abstract into its normal form: what a reader sees of it.

    NFC without ligatures and invisible characters; markup and entities resolved, no URLs; words whole that a line's
    end had cut; no heading before it and no copyright line after it; single spaces. The result is a fixed point:
    normalising it again changes nothing. It may be empty.
    """
    text, rounds = abstract, 0
    while not _is_plain(text) and (after := _normalise_once(text)) != text:
        text, rounds = after, rounds + 1
        if rounds == _ROUNDS:
            text = text.replace("<", " ").replace("&", " ")
    return text


def _is_plain(text: str) -> bool:
    """Whether there is nothing to do, as far as a look tells; of 100 abstracts from arXiv, 90 are so."""
    return (
        text.isprintable()
        and (text.isascii() or (_PRINTABLE_BUT.search(text) is None and unicodedata.is_normalized("NFC", text)))
        and not ("<" in text or "&" in text or "://" in text or "ww." in text or "WW." in text)
        and "  " not in text
        and ("- " not in text or join_lines(text) == text)
        and text[:1] != " " != text[-1:]
        and cut_edges(text) is text
    )


def _normalise_once(text: str) -> str:
    text = join_lines(resolve_markup(text))
    if not text.isascii():
        text = _PILE.sub(r"\1", _DROPPED.sub("", text).translate(_REPLACED))
        text = unicodedata.normalize("NFC", text)
    return " ".join(cut_edges(_URL.sub(" ", text)).split())
