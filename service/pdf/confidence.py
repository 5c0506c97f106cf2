"""How sure it is that a candidate is an abstract: signs for and against it, weighed.

The weights are those of a logistic regression, so that of the answers with a confidence of 0.9 nine in ten are right.
bench.pdf shows how far that holds.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from service.pdf.blocks import Block, Stop, usual_size
from service.pdf.languages import prose, words
from service.pdf.lines import Line
from service.pdf.words import citations, ends_text, is_address, is_dated, is_trailer

Method = Literal["heading", "run-in", "layout"]
Page = Sequence[Line]

WEIGHTS: Final[Mapping[str, float]] = {
    "at the page's end": 1.0,
    "citations": -1.2,
    "followed by a section": 2.2,
    "followed by a trailer": 1.1,
    "heading": 2.6,
    "layout": -1.0,
    "layout below addresses": 1.9,
    "layout below dates": 0.7,
    "layout bold": 1.2,
    "layout indented": 1.0,
    "layout of another size": 0.6,
    "layout of another width": 0.7,
    "layout set apart": 0.5,
    "layout short, and like the body": -2.1,
    "list": -1.6,
    "long": -1.2,
    "no beginning": -0.8,
    "no end": -3.6,
    "poor prose": -1.7,
    "run-in": 3.5,
    "short": -2.1,
    "slide": -0.8,
    "structured": 1.3,
}
_HIGHEST: Final = 0.99
_SLIDES: Final = 13.5
"""Points: larger text is a slide's."""
_FEW_WORDS: Final = 60
_MANY_WORDS: Final = 390
_TITLE_PAGE_LINES: Final = 45
_BULLET: Final = re.compile(r"^\s*(?:[•▪■●◦‣►–-]\s|\(?\d{1,2}[.)]\s|\d+(?:\.\d+)+\s)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A block that may be an abstract.

    lines: its own and those with which it goes on; text: theirs, mended. page: where it is, and number: its page's,
    from 1. head: for one without a name, the lines above it.
    """

    method: Method
    block: Block
    lines: Sequence[Line]
    text: str
    page: Page
    number: int
    head: Sequence[Line] = ()


def confidence(candidate: Candidate, weights: Mapping[str, float] = WEIGHTS) -> float:
    """0 to 0.99, in hundredths."""
    weight = sum(weights.get(sign, 0.0) for sign in signs(candidate))
    return round(min(_HIGHEST, 1 / (1 + math.exp(-weight))), 2)


def signs(candidate: Candidate) -> Iterator[str]:
    """The names of the signs that hold; each method is one."""
    yield candidate.method
    yield from _of_text(candidate.text)
    yield from _of_place(candidate)
    if candidate.method == "layout":
        yield from (f"layout {sign}" for sign in _of_form(candidate))


def _of_text(text: str) -> Iterator[str]:
    count = len(words(text))
    if not ends_text(text):
        yield "no end"
    if text[0].islower():
        yield "no beginning"
    if count < 30:
        yield "short"
    if count > _MANY_WORDS:
        yield "long"
    if prose(text) < 0.6:
        yield "poor prose"
    if citations(text) > 1:
        yield "citations"
    if _BULLET.match(text):
        yield "list"


def _of_place(candidate: Candidate) -> Iterator[str]:
    block, page = candidate.block, candidate.page
    if block.following is not None and block.stop is Stop.AFTER:
        yield "followed by a trailer" if is_trailer(block.following.text) else "followed by a section"
    if block.stop is Stop.PAGE and len(candidate.lines) == len(block.lines):
        yield "at the page's end"
    if block.is_structured:
        yield "structured"
    if usual_size(page) > _SLIDES or sum(bool(_BULLET.match(line.text)) for line in page) > 3:
        yield "slide"


def _of_form(candidate: Candidate) -> Iterator[str]:
    block, page, head = candidate.block, candidate.page, candidate.head
    addressed = any(is_address(line.text) for line in head)
    if addressed:
        yield "below addresses"
    if any(is_dated(line.text) for line in head):
        yield "below dates"
    differences = list(_differences(page, block))
    yield from differences
    if len(differences) > 2 or (addressed and _is_alone(page, block)):
        yield "set apart"
    elif len(words(candidate.text)) < _FEW_WORDS:
        yield "short, and like the body"


def _is_alone(page: Page, block: Block) -> bool:
    """Whether there is no body below, as on a title page."""
    return len(page) < _TITLE_PAGE_LINES and not _below(page, block)


def _below(page: Page, block: Block) -> list[Line]:
    return [line for line in page if line.y > block.lines[-1].y and len(words(line.text)) >= 4]


def _differences(page: Page, block: Block) -> Iterator[str]:
    """What tells the block from the body below it."""
    rest = _below(page, block)
    if not rest:
        return
    size = usual_size(rest)
    body = [line for line in rest if abs(line.size - size) < 0.05 * size]
    left, width = min(line.x0 for line in body), max(line.width for line in body)
    mine, wide = min(line.x0 for line in block.lines), max(line.width for line in block.lines)
    if abs(block.size - size) > 0.05 * size:
        yield "of another size"
    if abs(mine - left) > 0.8 * size:
        yield "indented"
    if abs(wide - width) > 2 * size:
        yield "of another width"
    if block.lines[0].bold and not body[0].bold:
        yield "bold"
