"""Growing a block of text from its first line downwards, within its column."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from service.pdf.boilerplate import is_notice
from service.pdf.languages import prose, words
from service.pdf.lines import Line
from service.pdf.words import ends_sentence, introduces, is_after, is_note, is_numbered, is_trailer, label

_SAME_SIZE: Final = 0.06
_SAME_SIZE_INSIDE: Final = 0.15
"""The same in the middle of a sentence: text recognised in a scan has lines of slightly different sizes."""
_WIDE_GAP: Final = 1.45
"""Times the usual distance of lines: from here on it is the end of a paragraph."""
_PART_GAP: Final = 5.0
"""In sizes: so far may a structured abstract's next part be below."""
_MOST_LINES: Final = 90


class Stop(StrEnum):
    """Why a block ends."""

    AFTER = "after"  # a line says that something else begins
    SIZE = "size"
    GAP = "gap"
    MARGIN = "margin"
    COLUMNS = "columns"
    PAGE = "page"


@dataclass(slots=True)
class Block:
    """Lines under each other and why they end. `following` is the line that does not belong to it any more."""

    lines: list[Line]
    stop: Stop
    following: Line | None

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def size(self) -> float:
        """The size of most of the text."""
        return usual_size(self.lines)

    @property
    def is_structured(self) -> bool:
        """Whether it begins with the label of a part: "Background: ...", or "Objective" on a line of its own."""
        return is_labelled(self.lines[0])


def is_labelled(line: Line) -> bool:
    """Whether the line begins a part of a structured abstract."""
    return not is_numbered(line.text) and not is_trailer(line.text) and label(line.text, line.bold_start) is not None


def usual_size(lines: Sequence[Line]) -> float:
    """The size in which most characters are set."""
    weight: dict[float, int] = {}
    for line in lines:
        weight[line.size] = weight.get(line.size, 0) + len(line.text)
    return max(weight, key=weight.__getitem__)


def grow(page: Sequence[Line], first: Line) -> Block:
    """The block that begins with `first`, a line of `page`, whose lines are sorted from top to bottom."""
    block = [first]
    while len(block) < _MOST_LINES:
        row = next_row(page, block)
        if not row:
            return Block(block, Stop.PAGE, None)
        stop = _why_not(page, block, row)
        if stop is not None:
            return Block(block, stop, row[0])
        block += row
    return Block(block, Stop.PAGE, None)


def next_row(page: Sequence[Line], block: Sequence[Line]) -> list[Line]:
    """The lines that stand next below the block, in its column; those on one baseline from left to right."""
    left, right = min(line.x0 for line in block), max(line.x1 for line in block)
    last = block[-1]
    below = [line for line in page if line.y > last.y + 0.5 * last.size and _overlaps(line, left, right)]
    if not below:
        return []
    top = below[0]
    return sorted((line for line in below if line.y - top.y < 0.35 * top.size), key=lambda line: line.x0)


def _overlaps(line: Line, left: float, right: float) -> bool:
    common = min(line.x1, right) - max(line.x0, left)
    return common > 0.5 * min(line.width, right - left)


def _why_not(page: Sequence[Line], block: Sequence[Line], row: Sequence[Line]) -> Stop | None:
    """Why the row does not belong to the block; None if it does."""
    line = max(row, key=lambda piece: piece.width)
    if _is_next_part(block, row[0]):
        return None
    if is_after(row[0].text) or is_after(line.text):
        return Stop.AFTER
    if ends_sentence(block[-1].text) and (row[0].raised or is_note(row[0].text)):
        return Stop.AFTER
    if _are_columns(page, row):
        return Stop.COLUMNS
    if _has_other_size(block, line):
        return Stop.SIZE
    if _is_apart(page, block, line):
        return Stop.GAP
    if _has_other_margin(block, line):
        return Stop.MARGIN
    if is_numbered(line.text) and ends_sentence(block[-1].text) and line.bold and not block[-1].bold:
        return Stop.AFTER
    return None


def _is_next_part(block: Sequence[Line], line: Line) -> bool:
    """Whether the line goes on a structured abstract: with the label of its next part, or the text below a label.

    Gaps, sizes and margins say nothing then. What also begins first sections ("Background") goes on nothing.
    """
    last = block[-1]
    if not is_labelled(block[0]) or line.y - last.y > _PART_GAP * max(line.size, last.size):
        return False
    if label(last.text, last.bold_start) == "":
        return len(words(line.text)) >= 3
    return is_labelled(line) and not introduces(line.text) and ends_sentence(last.text)


def _are_columns(page: Sequence[Line], row: Sequence[Line]) -> bool:
    """Whether pieces side by side are lines of two columns, with nothing across the gutter below them.

    What a formula cuts apart is side by side as well, but the next line runs through.
    """
    texts = [line for line in row if len(words(line.text)) >= 4]
    if len(texts) < 2:
        return False
    middle, bottom = (texts[0].x1 + texts[1].x0) / 2, max(line.y for line in row)
    near = (line for line in page if 0.5 * line.size < line.y - bottom < 3 * line.size)
    return not any(line.x0 < middle - line.size and middle + line.size < line.x1 for line in near)


def _has_other_size(block: Sequence[Line], line: Line) -> bool:
    size = usual_size(block)
    if len(block) == 1 and len(words(block[0].text)) < 4:
        return False
    ended = ends_sentence(block[-1].text) or not line.text[0].islower()
    other = abs(line.size - size) > (_SAME_SIZE if ended else _SAME_SIZE_INSIDE) * size
    is_formula = len(words(line.text)) < 3 and line.size < size and not ends_sentence(block[-1].text)
    return other and not is_formula


def leading(block: Sequence[Line]) -> float | None:
    """The usual distance of the block's baselines, pieces of formulas apart; None for a single line."""
    rows = [line for line in block if len(words(line.text)) >= 3] or block
    steps = sorted(b.y - a.y for a, b in pairwise(rows) if b.y - a.y > 0.5 * a.size)
    return steps[(len(steps) - 1) // 2] if steps else None


def _is_apart(page: Sequence[Line], block: Sequence[Line], line: Line) -> bool:
    step = line.y - block[-1].y
    usual = leading(block)
    if usual is None:
        return step > 2.4 * max(line.size, block[0].size)
    if step <= _WIDE_GAP * usual:
        return False
    if step > 3.2 * usual or line.text.isdigit():
        return True
    return ends_sentence(block[-1].text) and not _goes_on(page, block, line)


def _goes_on(page: Sequence[Line], block: Sequence[Line], line: Line) -> bool:
    """Whether a paragraph after a gap belongs to the same text: it is set alike, and set apart from the page's body."""
    left = min(piece.x0 for piece in block)
    right = max(piece.x1 for piece in block)
    size = usual_size(block)
    if abs(line.x0 - left) > 2.5 * size or prose(line.text) < 0.3 or right - line.x1 > 0.3 * (right - left):
        return False
    if is_notice(" ".join(piece.text for piece in block)):
        return False
    return _is_followed_by_end(page, block, line, left, right)


def _is_followed_by_end(page: Sequence[Line], block: Sequence[Line], line: Line, left: float, right: float) -> bool:
    """Whether what comes next in that form ends with keywords, an introduction and the like before the page does."""
    size = usual_size(block)
    more = [line]
    while row := next_row(page, more):
        if is_after(row[0].text):
            return True
        inside = all(piece.x0 > left - size and piece.x1 < right + size for piece in row)
        if not inside or _are_columns(page, row) or abs(row[0].size - size) > _SAME_SIZE * size or len(more) > 30:
            return False
        more += row
    return False


def _has_other_margin(block: Sequence[Line], line: Line) -> bool:
    """Whether the line leaves the block's margins: the wider text after an indented one, or a centred heading."""
    if len(block) < 3:
        return False
    left = min(piece.x0 for piece in block[1:])
    right = max(piece.x1 for piece in block)
    if line.x0 < left - 0.8 * line.size and line.x0 < block[0].x0 - 0.8 * line.size:
        return True
    if line.x1 > right + 2.5 * line.size:
        # Below a picture beside it a text grows wider, in the middle of a sentence.
        return ends_sentence(block[-1].text) or not line.text[0].islower() or abs(line.x0 - left) > 0.5 * line.size
    centred = line.x0 - left > 4 * line.size and right - line.x1 > 4 * line.size
    return centred and ends_sentence(block[-1].text) and len(words(line.text)) < 8 and not ends_sentence(line.text)
