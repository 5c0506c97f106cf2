"""Characters -> lines, by geometry: what stands on one baseline without a wide gap. Lines -> one text."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from model.text import cut_edges
from model.text.hyphens import join_lines
from service.pdf.chars import Char

_SHIFT: Final = 0.55
"""In sizes: how far from the baseline a character of the line may stand (superscripts, stacked indices)."""
_GAP: Final = 1.5
"""In sizes: a gap that ends a line where the file draws on; it is wider than any space of a justified line."""
_NUMBER_GAP: Final = 0.8
"""In sizes: the same behind a number that begins a line, as in drafts with numbered lines."""
_JOIN: Final = 0.6
"""In sizes: the gap over which pieces are joined that the file does not draw one after the other."""
_SPACE: Final = 0.22
"""In sizes: a gap that is a space although the file has none."""
_INITIAL: Final = 1.8
"""Times the line's size: a letter so large is the initial of the next column's text."""
_NUMBERED_LINES: Final = 8
"""So many bare numbers under each other are the lines' numbers."""
_COMBINING: Final = "\u0301\u0300\u0308\u0302\u0303\u0327\u030a\u030c\u0306\u0307\u030b\u0328\u0302\u0303"
_ACCENTS: Final = dict(zip("´`¨ˆ˜¸˚ˇ˘˙˝˛^~", _COMBINING, strict=True))
_DOTLESS: Final = {"ı": "i", "ȷ": "j"}
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


@dataclass(slots=True)
class Line:
    """A line, or a column's part of one. y: its baseline, growing downwards; size: that of most of its characters."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    """Whether most characters are."""
    bold_start: bool
    """Whether the first word is."""
    raised: bool = False
    """Whether it begins with a raised mark or number, as a footnote does."""

    @property
    def width(self) -> float:
        return self.x1 - self.x0


def make_lines(chars: Iterable[Char]) -> list[Line]:
    """The lines of a page from top to bottom, side by side ones from left to right, without numbers of lines."""
    runs = _joined(_runs(chars))
    lines = [line for line in map(_line, runs) if line.text]
    return _without_numbers(sorted(lines, key=lambda line: (line.y, line.x0)))


@dataclass(slots=True)
class _Run:
    chars: list[Char] = field(default_factory=list)
    y: float = 0.0
    size: float = 0.0

    def add(self, char: Char) -> None:
        if char.text != " " and char.size > self.size * 1.05:
            self.y, self.size = char.y, char.size
        self.chars.append(char)

    def takes(self, char: Char) -> bool:
        """Whether the character goes on with this run."""
        if not self.chars or char.text == " ":
            return bool(self.chars)
        last, size = self.chars[-1], max(self.size, char.size)
        if char.size > _INITIAL * self.size and len(self.chars) > 2:
            return False
        if abs(char.y - self.y) > _SHIFT * size:
            return False
        if abs(char.x0 - last.x0) < 0.01:  # two letters of one ligature
            return True
        gap = char.x0 - last.x1
        widest = _NUMBER_GAP if all(c.text.isdigit() or c.text == " " for c in self.chars) else _GAP
        return -size < gap < widest * size or self._is_over(char)

    def _is_over(self, char: Char) -> bool:
        """Whether it goes back by little, as limits of sums and accents do."""
        return self.chars[0].x0 < char.x0 and -2.5 * self.size < char.x0 - self.chars[-1].x1 < 0


def _runs(chars: Iterable[Char]) -> list[_Run]:
    runs = [_Run()]
    for char in chars:
        if not runs[-1].takes(char):
            if char.text == " ":
                continue
            runs.append(_Run())
        runs[-1].add(char)
    return [run for run in runs if run.chars]


def _joined(runs: Sequence[_Run]) -> list[_Run]:
    """Runs that meet on one baseline become one."""
    done: list[_Run] = []
    for run in sorted(runs, key=lambda r: r.chars[0].x0):
        before = next((r for r in reversed(done) if _meet(r, run)), None)
        if before is None:
            done.append(run)
        else:
            if run.size > before.size:
                before.y, before.size = run.y, run.size
            before.chars += run.chars
    return done


def _meet(left: _Run, right: _Run) -> bool:
    size, small = max(left.size, right.size), min(left.size, right.size)
    gap = right.chars[0].x0 - left.chars[-1].x1
    if size > _INITIAL * small:
        size = small
    shift = 0.2 if small > 0.9 * size else _SHIFT
    return abs(left.y - right.y) < shift * size and -0.3 * size < gap < _JOIN * size


def _line(run: _Run) -> Line:
    solid = [char for char in run.chars if char.text != " "]
    size = Counter(round(char.size, 1) for char in solid).most_common(1)[0][0]
    heights = sorted(char.y for char in solid if abs(char.size - size) < 0.1)
    text = _text(run.chars)
    first = solid[: max(1, len(text.split(" ")[0]))]
    y = heights[(len(heights) - 1) // 2]
    return Line(
        text=text,
        x0=min(char.x0 for char in solid),
        x1=max(char.x1 for char in solid),
        y=y,
        size=size,
        bold=sum(char.bold for char in solid) > len(solid) / 2,
        bold_start=all(char.bold for char in first),
        raised=solid[0].size < 0.85 * size and solid[0].y < y - 0.1 * size,
    )


def _text(chars: Sequence[Char]) -> str:
    parts: list[str] = []
    accent: Char | None = None
    last: Char | None = None
    for char in chars:
        if accent is not None and char.text != " ":
            letter = _DOTLESS.get(char.text, char.text)
            if char.x0 < accent.x1 and letter.isalpha():
                char.text = unicodedata.normalize("NFC", letter + _ACCENTS[accent.text])
            else:
                parts.append(accent.text)
            accent = None
        elif last is not None and char.text != " " and char.x0 - last.x1 > _SPACE * max(char.size, last.size):
            parts.append(" ")
        if char.text in _ACCENTS:
            accent = char
        elif accent is None:
            parts.append(char.text)
        if char.text != " ":
            last = char
    return " ".join("".join(parts).split())


def _without_numbers(lines: list[Line]) -> list[Line]:
    numbers = [line for line in lines if line.text.isdigit() and len(line.text) < 5]
    edges = Counter(round(line.x1 / 4) for line in numbers)
    drop = {id(line) for line in numbers if edges[round(line.x1 / 4)] >= _NUMBERED_LINES}
    return [line for line in lines if id(line) not in drop]


def mend(lines: Iterable[str]) -> str:
    """One line of text."""
    text = join_lines("\n".join(line.strip() for line in lines))
    text = _TAIL.sub("", _plain(" ".join(text.split())))
    return cut_edges(text)


def _plain(text: str) -> str:
    """NFC without ligatures, and plain letters for those of mathematics (U+1D400 to U+1D7FF), as in abstracts."""
    text = "".join(unicodedata.normalize("NFKC", c) if "\U0001d400" <= c <= "\U0001d7ff" else c for c in text)
    return unicodedata.normalize("NFC", text.translate(_LETTERS | _HIDDEN))
