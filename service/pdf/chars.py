"""The characters of a page with their places, upright, in the order in which the file draws them."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median
from typing import Any, Final

MAX_CHARS: Final = 40_000
"""Characters read of a page. A dense page of a journal has about 8,000."""

_SPACES: Final = frozenset((0x09, 0x0A, 0x0D, 0x20, 0xA0))
_LETTER_WIDER_THAN_HIGH: Final = 1.0
"""In sizes: no font's usual letter advances so far."""
_ADVANCE: Final = 0.48
"""In sizes: how far the usual letter of a text font advances."""
_HEAVY_NAMES: Final = ("bold", "black", "heavy", "cmbx", "sfbx", "medi", "-b")

_TEX_LIGATURES: Final = {0x0B: "ff", 0x0C: "fi", 0x0D: "fl", 0x0E: "ffi", 0x0F: "ffl"}
"""Where TeX's own encoding (OT1) has ligatures. Some fonts name no letters, so their codes come through as they are."""
_SYMBOLS: Final = re.compile(rb"sy|mi|ex|math|bm|symb", re.IGNORECASE)
"""In the names of fonts for mathematics, where these codes are something else."""

Turn = Callable[[float, float], tuple[float, float]]


@dataclass(slots=True)
class Char:
    """A character; " " stands for any white space.

    x0, x1: left and right edge of its advance. y: its baseline, growing downwards. size: in points, as drawn.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool


def read_chars(pdfium: Any, page: Any) -> list[Char]:
    """The characters that run in the page's main direction, turned so that it is from left to right.

    `page` is PDFium's text page, `pdfium` its bindings (pypdfium2.raw). Text at other angles, such as arXiv's stamp in
    the margin, is left out.
    """
    count = min(pdfium.FPDFText_CountChars(page), MAX_CHARS)
    codes = _whole([pdfium.FPDFText_GetUnicode(page, i) for i in range(count)])
    matrices = [_matrix(pdfium, page, i) for i in range(count)]
    turns = [_quarter_turns(matrix) for matrix in matrices]
    seen = Counter(turn for turn, code in zip(turns, codes, strict=True) if code > 0x20 and turn is not None)
    if not seen:
        return []
    main = seen.most_common(1)[0][0]
    keep = [i for i in range(count) if turns[i] == main or codes[i] in _SPACES]
    reader = _Reader(pdfium, page, _TURNS[main], matrices)
    return _with_true_sizes(list(reader.read((i, codes[i]) for i in keep)))


def _whole(codes: list[int]) -> list[int]:
    """Code points: PDFium gives letters beyond the BMP, as mathematics has them, as two halves of UTF-16.

    The second half becomes 0, which means nothing.
    """
    for i, (high, low) in enumerate(pairwise(codes)):
        if 0xD800 <= high < 0xDC00 <= low < 0xE000:
            codes[i : i + 2] = [0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 0]
    return codes


def _matrix(pdfium: Any, page: Any, i: int) -> Any:
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(page, i, matrix)
    return matrix


def _quarter_turns(matrix: Any) -> int | None:
    """0 to 3, clockwise; None for text that is aslant.

    It is the direction in which the text advances. PDFium's own angle looks at the letters' height, and is wrong by
    half a turn where a font's letters are mirrored.
    """
    turns = -math.atan2(matrix.b, matrix.a) / (math.pi / 2)
    return round(turns) % 4 if abs(turns - round(turns)) < 0.05 else None


def _with_true_sizes(chars: list[Char]) -> list[Char]:
    """Fonts of bitmaps (Type 3) may count in pixels, so that their nominal size says nothing: letters wider than high.

    Their size is then told by their advance, which is about half of it; that of a line is the page's, or if it is far
    from it, its own.
    """
    wide = [char for char in chars if char.text.isalpha()]
    if not wide or median((char.x1 - char.x0) / char.size for char in wide) < _LETTER_WIDER_THAN_HIGH:
        return chars
    usual = median(char.x1 - char.x0 for char in wide) / _ADVANCE
    for _, line in groupby(chars, key=lambda char: round(char.y)):
        row = list(line)
        own = median([char.x1 - char.x0 for char in row if char.text.isalpha()] or [usual * _ADVANCE]) / _ADVANCE
        for char in row:
            char.size = own if not 0.7 < own / usual < 1.4 else usual
    return chars


# PDFium's y grows upwards.
_TURNS: Final[dict[int, Turn]] = {
    0: lambda x, y: (x, -y),
    1: lambda x, y: (-y, -x),
    2: lambda x, y: (-x, y),
    3: lambda x, y: (y, x),
}


class _Reader:
    def __init__(self, pdfium: Any, page: Any, turn: Turn, matrices: Sequence[Any]) -> None:
        self._pdfium = pdfium
        self._page = page
        self._turn = turn
        self._matrices = matrices
        self._heavy: dict[bytes, bool] = {}

    def read(self, numbered: Iterator[tuple[int, int]]) -> Iterator[Char]:
        """The characters at these indices, with these code points; those without a meaning are left out."""
        last: Char | None = None
        for i, code in numbered:
            if code in _TEX_LIGATURES and self._is_text(i):
                last = self._char(i, _TEX_LIGATURES[code])
                yield last
            elif code in _SPACES:
                if last is not None:
                    yield Char(" ", last.x1, last.x1, last.y, last.size, last.bold)
            elif text := "-" if self._pdfium.FPDFText_IsHyphen(self._page, i) == 1 else _text(code):
                last = self._char(i, text)
                yield last

    def _char(self, i: int, text: str) -> Char:
        pdfium, page = self._pdfium, self._page
        box, matrix = pdfium.FS_RECTF(), self._matrices[i]
        x, y = ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetLooseCharBox(page, i, box)
        pdfium.FPDFText_GetCharOrigin(page, i, x, y)
        size = pdfium.FPDFText_GetFontSize(page, i) * math.hypot(matrix.c, matrix.d)
        edges = sorted((self._turn(box.left, box.bottom)[0], self._turn(box.right, box.top)[0]))
        return Char(text, edges[0], edges[1], self._turn(x.value, y.value)[1], size or 1.0, self._is_bold(i))

    def _is_bold(self, i: int) -> bool:
        """By the font's name: PDFium's weights are guesses for most embedded fonts."""
        name = self._font(i)
        if name not in self._heavy:
            lower = name.decode(errors="replace").lower()
            self._heavy[name] = any(word in lower for word in _HEAVY_NAMES)
        return self._heavy[name]

    def _is_text(self, i: int) -> bool:
        """Whether the file, not PDFium, has the character there, and in no font of symbols."""
        return self._pdfium.FPDFText_IsGenerated(self._page, i) == 0 and not _SYMBOLS.search(self._font(i))

    def _font(self, i: int) -> bytes:
        name = ctypes.create_string_buffer(128)
        self._pdfium.FPDFText_GetFontInfo(self._page, i, name, len(name), ctypes.c_int())
        return name.value


def _text(code: int) -> str:
    """Nothing for controls, private use and what is not a character."""
    if code == 0xAD:
        return "-"
    if code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xF900 or code > 0x10FFFF or code & 0xFFFE == 0xFFFE:
        return ""
    return chr(code) if code < 0xF0000 else ""
