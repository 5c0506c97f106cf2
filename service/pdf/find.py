"""Finding the abstract among the lines of the first pages."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from service.pdf.blocks import Block, Stop, grow, is_labelled, usual_size
from service.pdf.boilerplate import ends_licence, is_caption, is_cover, is_front_matter, is_notice
from service.pdf.languages import ENGLISH, is_abstract_heading, language_of, prose, words
from service.pdf.lines import Line
from service.pdf.mend import mend
from service.pdf.words import (
    citations,
    ends_sentence,
    introduces,
    is_address,
    is_after,
    is_introduction,
    is_numbered,
    label,
    run_in,
)

Method = Literal["heading", "run-in", "layout"]
Page = Sequence[Line]

MAX_PAGES: Final = 16
"""Pages that are read while all before them are front matter, as a thesis has it."""
LEAST_PAGES: Final = 3
_LEAST_WORDS: Final = 12
_MOST_WORDS: Final = 900
_MOST_UNNAMED: Final = 450
_LEAST_PROSE: Final = 0.4
_LEADERS: Final = re.compile(r"(?:\.\s?){6}")
"""Dots to a page's number, as tables of contents have them."""
_MOST_TRIED: Final = 4
"""Blocks of prose that may be an abstract without a heading. In the order of their first lines, columns mixed."""


@dataclass(frozen=True, slots=True)
class Found:
    """An abstract. confidence: 0 to 1; page: counted from 1; language: its code (ISO 639-1).

    method: how it was found, by a heading of its own, by a word at its beginning, or by its place and form alone.
    """

    text: str
    method: Method
    confidence: float
    page: int
    language: str = ENGLISH

    def members(self) -> dict[str, Any]:
        """What an answer says about it besides the prediction."""
        about = {"method": self.method, "confidence": self.confidence, "page": self.page}
        return {"abstract": self.text, "extraction": about}


def find_abstract(pages: Sequence[Page]) -> Found | None:
    """The abstract among the pages' lines, or None. Of several the surest, an English one if there is one."""
    found = [judge(*candidate) for candidate in _candidates(pages)]
    sure = [one for one in found if one is not None]
    return max(sure, key=lambda one: (one.language == ENGLISH, one.confidence), default=None)


def opening(pages: Iterable[Page]) -> list[Page]:
    """The pages among which an abstract is looked for: three, and more as long as all are front matter."""
    read: list[Page] = []
    front = True
    for page in pages:
        read.append(page)
        front = front and is_front_matter(page)
        if len(read) >= MAX_PAGES or (len(read) >= LEAST_PAGES and not front):
            break
    return read


def _candidates(pages: Sequence[Page]) -> Iterator[tuple[Method, Block, list[Line], int, int]]:
    for number, page in enumerate(pages, start=1):
        for method, block in _headed(page):
            yield method, block, _continued(pages, number, block), number, 0
    for number, page in enumerate(pages[:LEAST_PAGES], start=1):
        if is_cover(page):
            continue
        for block, marks in _set_apart(page):
            yield "layout", block, _continued(pages, number, block), number, marks
        if any(prose(line.text) > 0.4 for line in page):
            return


def _headed(page: Page) -> Iterator[tuple[Method, Block]]:
    for line in page:
        if is_abstract_heading(line.text):
            first = _beside(page, line) or _below(page, line)
            if first is not None:
                yield "heading", grow(page, first)
        else:
            rest = run_in(line.text, line.bold_start)
            if rest is not None:
                yield "run-in", grow(page, replace(line, text=rest))


def _beside(page: Page, heading: Line) -> Line | None:
    """The line of text to the right of a heading, on its baseline, if it is near or none stands below the heading."""
    for line in page:
        gap = line.x0 - heading.x1
        level = abs(line.y - heading.y) < 0.4 * heading.size
        if level and 0 < gap < 8 * heading.size and len(words(line.text)) >= 4 and not is_after(line.text):
            below = _below(page, heading)
            hangs = below is None or below.x0 > heading.x1
            return line if gap < 3 * heading.size or hangs else None
    return None


def _below(page: Page, heading: Line) -> Line | None:
    """The line of text under a heading: the nearest that overlaps it or its column."""
    for line in page:
        near = heading.y < line.y - 0.4 * heading.size and line.y - heading.y < 6 * max(heading.size, line.size)
        aside = line.x0 - 1.5 * line.size <= heading.x1 and heading.x0 <= line.x1
        text = is_labelled(line) or introduces(line.text) or (len(words(line.text)) >= 3 and not is_after(line.text))
        if near and aside and text:
            return line
    return None


def _continued(pages: Sequence[Page], number: int, block: Block) -> list[Line]:
    """The block's lines, and where the column or page ended in mid-sentence, what goes on in the next."""
    lines = list(block.lines)
    if block.stop is Stop.MARGIN:
        return lines
    ended, structured = ends_sentence(block.text), block.is_structured
    for page, right_of in ((pages[number - 1], block.lines[0]), (pages[number] if number < len(pages) else (), None)):
        start = _top(page, block, right_of)
        if start is None:
            continue
        if ended and not (structured and is_labelled(start) and not is_introduction(start.text)):
            continue
        if block.stop is Stop.AFTER and not start.text[0].islower():
            continue
        return lines + grow(page, start).lines
    return lines


def _top(page: Page, block: Block, right_of: Line | None) -> Line | None:
    """The first line of the next column or page that is set like the block."""
    size, wide = block.size, max(line.width for line in block.lines)
    edge = max(line.x1 for line in block.lines) if right_of is not None else 0.0
    for line in page:
        alike = abs(line.size - size) < 0.05 * size and len(words(line.text)) >= 4
        if alike and line.x0 >= edge and 0.7 * wide < line.width < 1.15 * wide:
            return line if prose(line.text) > 0.3 and not is_after(line.text) else None
    return None


def _set_apart(page: Page) -> Iterator[tuple[Block, int]]:
    """The blocks that have the place and form of an abstract: after a title, before a body that looks different.

    That is the first block of prose, or a later one whose parts are labelled.
    """
    first = True
    for block, head in _in_order(_prose_blocks(page)):
        if (first or block.is_structured) and _is_abstract_like(block, head):
            marks = _differences(page, block)
            if marks:
                yield block, marks
        first = False


def _in_order(blocks: Iterable[tuple[Block, Sequence[Line]]]) -> list[tuple[Block, Sequence[Line]]]:
    """As they are read: a column to the left of another block comes before it, though it may begin lower."""
    done: list[tuple[Block, Sequence[Line]]] = []
    for block, head in blocks:
        place = next((i for i, (other, _) in enumerate(done) if _is_column_before(block, other)), len(done))
        done.insert(place, (block, head))
    return done


def _is_column_before(block: Block, other: Block) -> bool:
    """Whether the block is to the left of the other, and no narrower: else it is a sidebar."""
    left, right = min(line.x0 for line in block.lines), max(line.x1 for line in block.lines)
    start, end = min(line.x0 for line in other.lines), max(line.x1 for line in other.lines)
    return right <= start and right - left > 0.8 * (end - start)


def _prose_blocks(page: Page) -> Iterator[tuple[Block, Sequence[Line]]]:
    """The first blocks of prose, with what stands above them. Captions, licences and their like are passed over."""
    usual = usual_size([line for line in page if len(words(line.text)) >= 4] or page) if page else 0.0
    head: list[Line] = []
    done: set[int] = set()
    tried = 0
    for line in page:
        if id(line) in done:
            continue
        if tried == _MOST_TRIED or (is_introduction(line.text) and not is_labelled(line)):
            return
        block = grow(page, line)
        if is_caption(line.text) or is_notice(line.text) or is_notice(block.text.replace("\n", " ")):
            done.update(map(id, _notice(block)))
        elif line.size > 1.25 * usual or not _may_begin(line, block) or not _is_prose(block):
            head.append(line)
        else:
            yield block, tuple(head)
            done.update(map(id, block.lines))
            tried += 1


def _notice(block: Block) -> list[Line]:
    """The lines of a block that begins with a licence; an abstract may follow without a gap."""
    for i, line in enumerate(block.lines):
        if ends_licence(line.text):
            return block.lines[: i + 1]
    return block.lines


def _may_begin(line: Line, block: Block) -> bool:
    """Whether the line may be a text's first: it runs over most of the width and is no name or address."""
    wide = max(piece.width for piece in block.lines)
    if is_labelled(line) and label(line.text, line.bold_start):
        return True
    return line.width > 0.75 * wide and prose(line.text) > 0.2 and not is_after(line.text) and not is_address(line.text)


def _is_prose(block: Block) -> bool:
    text = " ".join(line.text for line in block.lines)
    return len(words(text)) >= _LEAST_WORDS and prose(text) >= _LEAST_PROSE


def _is_abstract_like(block: Block, head: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in block.lines)
    if not head or not _has_title(head, block) or text[0].islower():
        return False
    section = is_numbered(head[-1].text) and head[-1].size > 0.95 * block.size
    return len(words(text)) <= _MOST_UNNAMED and not section and citations(text) <= 4


def _has_title(head: Sequence[Line], block: Block) -> bool:
    """Whether something above stands out as a title does: larger, bold or in capitals."""
    lines = (line for line in head if len(words(line.text)) >= 2)
    return any(line.size > 1.08 * block.size or line.bold or line.text.isupper() for line in lines)


def _differences(page: Page, block: Block) -> int:
    """How many signs there are that the block is not the beginning of the body."""
    bottom = block.lines[-1].y
    rest = [line for line in page if line.y > bottom and len(words(line.text)) >= 4]
    marks = int(block.stop is Stop.AFTER) + block.is_structured
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


def judge(method: Method, block: Block, lines: list[Line], page: int, marks: int) -> Found | None:
    """The abstract with its confidence, if the block reads like one."""
    text = mend(line.text for line in lines)
    if _LEADERS.search(text):
        return None
    count, read = len(words(text)), prose(text)
    if not 8 <= count <= _MOST_WORDS or read < _LEAST_PROSE:
        return None
    if method == "layout":
        confidence = min(0.9, 0.4 + 0.15 * marks - 0.1 * (count < 40) - 0.05 * citations(text))
    else:
        confidence = 0.97 if method == "heading" else 0.95
    confidence -= 0.15 * (not ends_sentence(text)) + 0.1 * (read < 0.6)
    confidence -= 0.1 * (count > _MOST_UNNAMED) + 0.15 * (count < 30)
    confidence -= 0.05 * (block.stop is Stop.PAGE) + 0.05 * (page > 1) + 0.02 * citations(text)
    return Found(text, method, round(max(0.1, confidence), 2), page, language_of(text))
