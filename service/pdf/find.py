"""Finding the abstract among the lines of the first pages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from service.pdf.blocks import Block, Stop, grow, usual_size
from service.pdf.lines import Line
from service.pdf.mend import mend, vocabulary
from service.pdf.words import (
    citations,
    ends_sentence,
    is_address,
    is_after,
    is_heading,
    is_introduction,
    is_numbered,
    prose,
    run_in,
    words,
)

Method = Literal["heading", "run-in", "layout"]

_LEAST_WORDS: Final = 12
_MOST_WORDS: Final = 900
_MOST_UNNAMED: Final = 450
_LEAST_PROSE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Found:
    """An abstract. confidence: 0 to 1; page: counted from 1.

    method: how it was found, by a heading of its own, by a word at its beginning, or by its place and form alone.
    """

    text: str
    method: Method
    confidence: float
    page: int

    def members(self) -> dict[str, Any]:
        """What an answer says about it besides the prediction."""
        about = {"method": self.method, "confidence": self.confidence, "page": self.page}
        return {"abstract": self.text, "extraction": about}


def find_abstract(pages: Sequence[Sequence[Line]]) -> Found | None:
    """The abstract among the pages' lines, or None."""
    known = vocabulary((line.text for line in page) for page in pages)
    best: Found | None = None
    for number, page in enumerate(pages, start=1):
        for method, block in _headed(page):
            lines = _continued(pages, number, block)
            found = _judge(mend([line.text for line in lines], known), method, block, number)
            if found is not None and (best is None or found.confidence > best.confidence):
                best = found
        if best is not None:
            return best
    for number, page in enumerate(pages[:2], start=1):
        for block, confidence in _set_apart(page):
            return Found(mend([line.text for line in block.lines], known), "layout", confidence, number)
    return None


def _headed(page: Sequence[Line]) -> Iterator[tuple[Method, Block]]:
    for line in page:
        if is_heading(line.text):
            below = _below(page, line)
            if below is not None:
                yield "heading", grow(page, below)
        else:
            rest = run_in(line.text, line.bold_start)
            if rest is not None:
                first = replace(line, text=rest)
                yield "run-in", grow(page, first)


def _below(page: Sequence[Line], heading: Line) -> Line | None:
    """The line of text under a heading: the nearest that overlaps it or its column."""
    for line in page:
        near = heading.y < line.y - 0.4 * heading.size and line.y - heading.y < 6 * max(heading.size, line.size)
        aside = line.x0 - 1.5 * line.size <= heading.x1 and heading.x0 <= line.x1
        if near and aside and len(words(line.text)) >= 3 and not is_after(line.text):
            return line
    return None


def _continued(pages: Sequence[Sequence[Line]], number: int, block: Block) -> list[Line]:
    """The block's lines, and where the column or page ended in mid-sentence, what goes on in the next."""
    lines = list(block.lines)
    if ends_sentence(block.text) or block.stop in (Stop.AFTER, Stop.MARGIN):
        return lines
    for page, right_of in ((pages[number - 1], block.lines[0]), (pages[number] if number < len(pages) else (), None)):
        start = _top(page, block, right_of)
        if start is not None:
            return lines + grow(page, start).lines
    return lines


def _top(page: Sequence[Line], block: Block, right_of: Line | None) -> Line | None:
    """The first line of the next column or page that is set like the block."""
    size, wide = block.size, max(line.width for line in block.lines)
    edge = max(line.x1 for line in block.lines) if right_of is not None else 0.0
    for line in page:
        alike = abs(line.size - size) < 0.05 * size and len(words(line.text)) >= 4
        if alike and line.x0 >= edge and 0.7 * wide < line.width < 1.1 * wide:
            return line if prose(line.text) > 0.3 and not is_after(line.text) else None
    return None


def _judge(text: str, method: Method, block: Block, page: int) -> Found | None:
    """The abstract with its confidence, if the block reads like one."""
    count, read = len(words(text)), prose(text)
    if not 8 <= count <= _MOST_WORDS or read < _LEAST_PROSE:
        return None
    confidence = 0.97 if method == "heading" else 0.95
    confidence -= 0.15 * (not ends_sentence(text)) + 0.1 * (read < 0.6)
    confidence -= 0.1 * (count > _MOST_UNNAMED) + 0.15 * (count < 30)
    confidence -= 0.05 * (block.stop is Stop.PAGE) + 0.05 * (page > 1) + 0.02 * citations(text)
    return Found(text, method, round(max(0.1, confidence), 2), page)


def _set_apart(page: Sequence[Line]) -> Iterator[tuple[Block, float]]:
    """The block that has the place and form of an abstract: after a title, before a body that looks different."""
    usual = usual_size([line for line in page if len(words(line.text)) >= 4] or page) if page else 0.0
    head: list[Line] = []
    for line in page:
        if is_introduction(line.text):
            return
        block = grow(page, line)
        if line.size > 1.25 * usual or not _may_begin(line, block) or not _is_prose(block):
            head.append(line)
            continue
        confidence = _apartness(page, block, head)
        if confidence:
            yield block, confidence
        return


def _may_begin(line: Line, block: Block) -> bool:
    """Whether the line may be a text's first: it runs over most of the width and is no name or address."""
    wide = max(piece.width for piece in block.lines)
    return line.width > 0.75 * wide and prose(line.text) > 0.2 and not is_after(line.text) and not is_address(line.text)


def _is_prose(block: Block) -> bool:
    text = " ".join(line.text for line in block.lines)
    return len(words(text)) >= _LEAST_WORDS and prose(text) >= _LEAST_PROSE and ends_sentence(text)


def _apartness(page: Sequence[Line], block: Block, head: Sequence[Line]) -> float:
    """0 for text that is not an abstract, else how sure it is."""
    text = " ".join(line.text for line in block.lines)
    count = len(words(text))
    if not _has_title(head, block) or text[0].islower() or count > _MOST_UNNAMED or is_numbered(head[-1].text):
        return 0.0
    marks = _differences(page, block)
    if not marks or citations(text) > 4:
        return 0.0
    return round(min(0.9, 0.4 + 0.15 * marks - 0.1 * (count < 40) - 0.05 * citations(text)), 2)


def _has_title(head: Sequence[Line], block: Block) -> bool:
    """Whether something above stands out as a title does: larger, bold or in capitals."""
    lines = (line for line in head if len(words(line.text)) >= 2)
    return any(line.size > 1.08 * block.size or line.bold or line.text.isupper() for line in lines)


def _differences(page: Sequence[Line], block: Block) -> int:
    """How many signs there are that the block is not the beginning of the body."""
    bottom = block.lines[-1].y
    rest = [line for line in page if line.y > bottom and len(words(line.text)) >= 4]
    marks = int(block.stop is Stop.AFTER)
    if not rest:  # alone on its title page
        return 1
    size = usual_size(rest)
    body = [line for line in rest if abs(line.size - size) < 0.05 * size]
    left, width = min(line.x0 for line in body), max(line.width for line in body)
    mine, wide = min(line.x0 for line in block.lines), max(line.width for line in block.lines)
    marks += abs(block.size - size) > 0.05 * size
    marks += abs(mine - left) > 0.8 * size
    marks += abs(wide - width) > 2 * size
    return marks + (block.lines[0].bold and not body[0].bold)
