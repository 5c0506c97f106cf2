"""The characters of a page with their places, upright, in the order in which the file draws them."""

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_CHARS: Final = 40_000
"""Characters read of a page. A dense page of a journal has about 8,000."""

_SPACES: Final = frozenset((0x09, 0x0A, 0x0D, 0x20, 0xA0))
_HEAVY_NAMES: Final = ("bold", "black", "heavy", "cmbx", "sfbx", "medi", "-b")

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
    codes = [pdfium.FPDFText_GetUnicode(page, i) for i in range(count)]
    turns = [_quarter_turns(pdfium.FPDFText_GetCharAngle(page, i)) for i in range(count)]
    seen = Counter(turn for turn, code in zip(turns, codes, strict=True) if code > 0x20)
    if not seen:
        return []
    main = seen.most_common(1)[0][0]
    keep = [i for i in range(count) if codes[i] in _SPACES or turns[i] == main]
    return list(_Reader(pdfium, page, _TURNS[main or 0]).read((i, codes[i]) for i in keep))


def _quarter_turns(angle: float) -> int | None:
    """0 to 3; None for text that is aslant."""
    turns = angle / (math.pi / 2)
    return round(turns) % 4 if abs(turns - round(turns)) < 0.05 else None


# PDFium's y grows upwards, and its angles clockwise.
_TURNS: Final[dict[int, Turn]] = {
    0: lambda x, y: (x, -y),
    1: lambda x, y: (-y, -x),
    2: lambda x, y: (-x, y),
    3: lambda x, y: (y, x),
}


class _Reader:
    def __init__(self, pdfium: Any, page: Any, turn: Turn) -> None:
        self._pdfium = pdfium
        self._page = page
        self._turn = turn
        self._heavy: dict[bytes, bool] = {}

    def read(self, numbered: Iterator[tuple[int, int]]) -> Iterator[Char]:
        """The characters at these indices, with these code points; those without a meaning are left out."""
        last: Char | None = None
        for i, code in numbered:
            if code in _SPACES:
                if last is not None:
                    yield Char(" ", last.x1, last.x1, last.y, last.size, last.bold)
            elif text := "-" if self._pdfium.FPDFText_IsHyphen(self._page, i) == 1 else _text(code):
                last = self._char(i, text)
                yield last

    def _char(self, i: int, text: str) -> Char:
        pdfium, page = self._pdfium, self._page
        box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        x, y = ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetLooseCharBox(page, i, box)
        pdfium.FPDFText_GetCharOrigin(page, i, x, y)
        pdfium.FPDFText_GetMatrix(page, i, matrix)
        size = pdfium.FPDFText_GetFontSize(page, i) * math.hypot(matrix.c, matrix.d)
        edges = sorted((self._turn(box.left, box.bottom)[0], self._turn(box.right, box.top)[0]))
        return Char(text, edges[0], edges[1], self._turn(x.value, y.value)[1], size or 1.0, self._is_bold(i))

    def _is_bold(self, i: int) -> bool:
        """By the font's name: PDFium's weights are guesses for most embedded fonts."""
        name = ctypes.create_string_buffer(128)
        self._pdfium.FPDFText_GetFontInfo(self._page, i, name, len(name), ctypes.c_int())
        if name.value not in self._heavy:
            lower = name.value.decode(errors="replace").lower()
            self._heavy[name.value] = any(word in lower for word in _HEAVY_NAMES)
        return self._heavy[name.value]


def _text(code: int) -> str:
    """Nothing for controls, private use and what is not a character."""
    if code == 0xAD:
        return "-"
    if code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xF900 or code > 0x10FFFF or code & 0xFFFE == 0xFFFE:
        return ""
    return chr(code) if code < 0xF0000 else ""
