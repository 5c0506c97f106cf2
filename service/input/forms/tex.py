"""TeX as it stands in BibTeX fields, made plain text; formulas stay as they are."""

import re
import unicodedata
from typing import Final

_MARKS: Final = "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0323\u0331\u0328\u030a"
_ACCENTS: Final = dict(zip("`'^\"~=.uvHcdbkr", _MARKS, strict=True))
_ACCENT: Final = re.compile(r"""\\(?:([`'^"~=.])\s?|([uvHcdbkr])(?:\s|(?=\{)))(?:\{\\?(\w)\}|\\([ij])(?!\w)\s?|(\w))""")
_LETTERS: Final = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł", "L": "Ł",
    "i": "ı", "j": "ȷ", "textendash": "–", "textemdash": "—", "textquoteright": "’", "textquoteleft": "‘",
    "textquotedblleft": "“", "textquotedblright": "”", "ldots": "…", "dots": "…", "textdegree": "°", "textmu": "µ",
    "textregistered": "®", "texttrademark": "™", "textasciitilde": "~", "textbackslash": "\\", "newline": " ",
    "par": " ",
}  # fmt: skip
_LETTER: Final = re.compile(r"\\(" + "|".join(sorted(_LETTERS, key=len, reverse=True)) + r")(?![A-Za-z])(\{\}|[ ]+)?")
_STYLE: Final = re.compile(
    r"\\(text(it|bf|tt|rm|sf|sc|sl|up|md|normal|super|subscript)|emph|mbox|it|bf|em|rm|sc|tt)(?![A-Za-z])\s?"
)
_FORMULA: Final = re.compile(
    r"(\$\$.{0,2000}?\$\$|\$(?:\\.|[^$\\]){1,2000}\$|\\\(.{0,2000}?\\\)|\\\[.{0,2000}?\\\])", re.DOTALL
)
_DASHES: Final = ((re.compile(r"(?<!-)---(?!-)"), "—"), (re.compile(r"(?<!-)--(?!-)"), "–"), (re.compile("``"), "“"),
                  (re.compile("''"), "”"))  # fmt: skip


def plain_text(value: str) -> str:
    """The text: accents and letters as characters, escapes, styles, braces and ties resolved."""
    if not re.search(r"[\\{}~]|--|``|''", value):
        return value
    parts = _FORMULA.split(value)
    return "".join(part if i % 2 else _plain(part) for i, part in enumerate(parts))


def _plain(text: str) -> str:
    text = _ACCENT.sub(_accented, text)
    text = _LETTER.sub(lambda found: _LETTERS[found[1]], text)
    text = _STYLE.sub("", text)
    text = re.sub(r"(?<!\\)~", "\u00a0", re.sub(r"(?<!\\)[{}]", "", text))
    for pattern, sign in _DASHES:
        text = pattern.sub(sign, text)
    return re.sub(r"\\([%&#_${} ~,])", r"\1", text)


def _accented(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", (found[3] or found[4] or found[5]) + _ACCENTS[found[1] or found[2]])
