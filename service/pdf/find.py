"""Finding the abstract among the lines of the first pages."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from service.pdf.blocks import Block, Stop, grow, is_labelled, usual_size
from service.pdf.boilerplate import ends_licence, is_caption, is_cover, is_front_matter, is_notice
from service.pdf.confidence import WEIGHTS, Candidate, Method, Page, confidence
from service.pdf.languages import ENGLISH, is_abstract_heading, language_of, prose, words
from service.pdf.lines import Line, mend
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

LEAST_PAGES: Final = 3
MAX_PAGES: Final = 16
"""Pages that are read while all before them are front matter, as a thesis has it."""
LEAST_CONFIDENCE: Final = 0.6
"""What may well be no abstract is refused."""
_LEAST_WORDS: Final = 8
_MOST_WORDS: Final = 900
_LEAST_PROSE: Final = 0.4
_LEAST_UNNAMED: Final = 12
_MOST_UNNAMED: Final = 450
_MOST_CITATIONS: Final = 4
_MOST_TRIED: Final = 4
"""Blocks of prose that may be an abstract without a name. In the order of their first lines, columns mixed."""
_LEADERS: Final = re.compile(r"(?:\.\s?){6}")
"""Dots to a page's number, as tables of contents have them."""


@dataclass(frozen=True, slots=True)
class Found:
    """An abstract. confidence: how likely it is right and whole, 0 to 1; page: counted from 1; language: ISO 639-1.

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
    """The abstract among the pages' lines, or None."""
    return choose(candidates(pages))


def choose(candidates: Iterable[Candidate], weights: Mapping[str, float] = WEIGHTS) -> Found | None:
    """The surest; an English one if there is one, and one that is called so. None if none is likely enough."""
    found = (
        Found(one.text, one.method, confidence(one, weights), one.number, language_of(one.text)) for one in candidates
    )
    sure = [one for one in found if one.confidence >= LEAST_CONFIDENCE]
    return max(sure, key=lambda one: (one.language == ENGLISH, one.method != "layout", one.confidence), default=None)


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


def candidates(pages: Sequence[Page]) -> Iterator[Candidate]:
    """What may be the abstract, in the order of pages, named ones first."""
    for number, page in enumerate(pages, start=1):
        for method, block in _headed(page):
            yield from _candidate(pages, number, method, block)
    for number, page in enumerate(pages[:LEAST_PAGES], start=1):
        if is_cover(page):
            continue
        for block, head in _unnamed(page):
            yield from _candidate(pages, number, "layout", block, head)
        if any(prose(line.text) > _LEAST_PROSE for line in page):
            return


def _candidate(
    pages: Sequence[Page], number: int, method: Method, block: Block, head: Sequence[Line] = ()
) -> Iterator[Candidate]:
    lines = _continued(pages, number, block)
    text = mend(line.text for line in lines)
    reads = _LEAST_WORDS <= len(words(text)) <= _MOST_WORDS and prose(text) >= _LEAST_PROSE
    if reads and not _LEADERS.search(text):
        yield Candidate(method, block, lines, text, pages[number - 1], number, head)


def _headed(page: Page) -> Iterator[tuple[Method, Block]]:
    """The blocks that a heading or a word names an abstract."""
    for line in page:
        if is_abstract_heading(line.text):
            first = _beside(page, line) or _below(page, line)
            if first is not None:
                yield "heading", grow(page, first)
        else:
            rest = run_in(line.text, line.bold_start, _begins(page, line))
            if rest is not None:
                yield "run-in", grow(page, replace(line, text=rest))


def _begins(page: Page, line: Line) -> bool:
    """Whether the line begins a paragraph that is prose: no line of its size stands close above."""
    above = (other for other in page if 0.5 * line.size < line.y - other.y < 1.5 * line.size)
    first = not any(
        abs(other.size - line.size) < 0.1 * line.size and other.x0 < line.x1 and line.x0 < other.x1 for other in above
    )
    return first and prose(grow(page, line).text) > _LEAST_PROSE


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


def _unnamed(page: Page) -> Iterator[tuple[Block, Sequence[Line]]]:
    """The blocks that have the place and form of an abstract, each with the lines above it.

    They are the first block of prose, and later ones whose parts are labelled.
    """
    first = True
    for block, head in _in_order(_prose_blocks(page)):
        if (first or block.is_structured) and _is_abstract_like(block, head):
            yield block, head
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
    return len(words(text)) >= _LEAST_UNNAMED and prose(text) >= _LEAST_PROSE


def _is_abstract_like(block: Block, head: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in block.lines)
    if not head or not _has_title(head, block) or text[0].islower():
        return False
    section = is_numbered(head[-1].text) and head[-1].size > 0.95 * block.size
    return len(words(text)) <= _MOST_UNNAMED and not section and citations(text) <= _MOST_CITATIONS


def _has_title(head: Sequence[Line], block: Block) -> bool:
    """Whether something above stands out as a title does: larger, bold or in capitals."""
    lines = (line for line in head if len(words(line.text)) >= 2)
    return any(line.size > 1.08 * block.size or line.bold or line.text.isupper() for line in lines)


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
        more = grow(page, start)
        next_part = structured and is_labelled(start) and not is_introduction(start.text)
        cut = not ended and (block.stop is not Stop.AFTER or start.text[0].islower())
        if cut or (next_part and ended) or (right_of is not None and _is_balanced(page, block, more)):
            return lines + more.lines
    return lines


def _is_balanced(page: Page, left: Block, right: Block) -> bool:
    """Whether the two begin and end on about one height, as a text that is set in two columns by itself."""
    step, first, start = 1.3 * left.size, left.lines[0], right.lines[0]
    above = [line for line in page if line.x1 > start.x0 and 0.5 * step < start.y - line.y < 3 * step]
    if any(is_introduction(line.text) or is_numbered(line.text) for line in above):
        return False
    level = abs(first.y - start.y) < 0.5 * step and abs(left.lines[-1].y - right.lines[-1].y) < 2.5 * step
    return level and len(left.lines) > 3


def _top(page: Page, block: Block, right_of: Line | None) -> Line | None:
    """The first line of the next column or page that is set like the block."""
    size, wide = block.size, max(line.width for line in block.lines)
    edge = max(line.x1 for line in block.lines) if right_of is not None else 0.0
    for line in page:
        alike = abs(line.size - size) < 0.05 * size and len(words(line.text)) >= 4
        if alike and line.x0 >= edge and 0.7 * wide < line.width < 1.15 * wide:
            return line if prose(line.text) > 0.3 and not is_after(line.text) else None
    return None
