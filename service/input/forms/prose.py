"""Plain text: one abstract, or more of them, told apart by what one abstract may be."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

from service.input.errors import Unusable
from service.input.forms.fields import text_item
from service.input.item import Columns, Item
from service.input.opened import Opened

FORM: Final = "plain text"
MOST: Final = 5000
"""Characters of the longest abstract."""
_SHORTEST: Final = 50
"""Characters of the shortest abstract."""
_LEAST: Final = 120
"""Characters of a block that may be an abstract by itself; a sentence of one is seldom longer."""
_TAGS: Final = re.compile(r"<[^<>]{1,200}>")
_HEADING: Final = re.compile(r"\W{0,20}(abstracts?|summary)\W{0,20}\n", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\s*([\[(]?\d{1,4}[.)\]:]|[-*•])\s+")
_OPENER: Final = re.compile(
    r"\W{0,20}(we|in (this|the present)|this|the (aim|goal|purpose|present|main)|here|our|a (new|novel)|i)\b",
    re.IGNORECASE,
)
_WHOLE: Final = re.compile(r"""["'“(\[$\\*\d]*[^\W\d_a-z].*[.!?…]["'”’)\]$*\d]*""", re.DOTALL)
_SENTENCE: Final = re.compile(r"[^\W_][\w)\]$%'\"”][.!?]\s+[“\"'(\[$]*[^\W\d_a-z]")
_LABEL: Final = re.compile(
    r"\W{0,20}(abstract|aims?|approach|background|case|conclusions?|context|data|design|discussion|evidence|findings|"
    r"importance|interpretation|introduction|keywords?|limitations?|main|materials?|measurements?|methods?|"
    r"methodology|motivation|novelty|objectives?|originality|participants|patients|problem|purpose|rationale|results?|"
    r"scope|setting|significance|subjects|summary|trial|value)\b[^.]{0,40}?(:|\.\s|\s[-–—]\s|\n)",
    re.IGNORECASE,
)


class Kind(Enum):
    """What the blocks of a text are together."""

    ONE = "one abstract"
    LIST = "a list of abstracts"
    EITHER = "one abstract in several parts, or several abstracts"


def matches(_opened: Opened, _columns: Columns) -> bool:
    """Whatever is text."""
    return True


def is_list(opened: Opened) -> bool:
    """Whether it may be a list of abstracts under a line that says so."""
    head = opened.beginning.strip()
    heading = _HEADING.match(head)
    return heading is not None and _kind(head[heading.end() :], opened.complete) is not Kind.ONE


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """One item, or one a line or paragraph. Unusable: it may be either, or it is too long to be an abstract."""
    head = opened.beginning
    if columns.text is not None and head.strip():
        raise Unusable(
            FORM, f"It is plain text: there is no column `{columns.text}`.", "Leave the name of a column out."
        )
    match _kind(head, opened.complete):
        case Kind.LIST:
            yield from _blocks(opened)
        case Kind.EITHER:
            raise Unusable(
                FORM,
                f"It is text in {len(_split(head))} parts that may each be an abstract, or together be one.",
                "If they are one, join them into one paragraph. If each is one, put each into a line of its own, and "
                "above them a line that says only: abstract",
            )
        case Kind.ONE:
            yield from _whole(opened)


def _whole(opened: Opened) -> Iterator[Item]:
    with opened.text() as text:
        read = text.read(8 * MOST + 1)
    size = len(_TAGS.sub("", read))
    if size > 2 * MOST or len(read) > 8 * MOST:
        raise Unusable(
            FORM,
            f"It is a text of {'more than ' if len(read) > 8 * MOST else ''}{size} characters, too long to be an "
            f"abstract (at most {MOST}), and not a form of file that is known.",
            "Is it a whole paper? Give its PDF, or its abstract alone.",
        )
    if read.strip():
        yield text_item(read, "text")


def _blocks(opened: Opened) -> Iterator[Item]:
    """The paragraphs, or the lines if there is one paragraph alone."""
    by_lines = "\n\n" not in _unblanked(opened.beginning)
    with opened.text() as text:
        block, start = "", 1
        for number, line in enumerate(iter(lambda: text.readline(8 * MOST), ""), 1):
            if line.strip() and not block:
                start = number
            block += line if line.strip() else ""
            if block and (by_lines or not line.strip() or len(block) > 8 * MOST):
                yield text_item(block, f"line {start}", start)
                block = ""
        if block:
            yield text_item(block, f"line {start}", start)


def _unblanked(text: str) -> str:
    return re.sub(r"\n[^\S\n]+(?=\n)", "\n", text.strip())


def _split(text: str) -> list[str]:
    text = _unblanked(text)
    return [part for part in (re.split(r"\n{2,}", text) if "\n\n" in text else text.split("\n")) if part.strip()]


def _kind(text: str, complete: bool) -> Kind:
    """What a text is; of one that is longer (not `complete`) this is the beginning."""
    heading = _HEADING.match(text)
    blocks = _split(text[heading.end() :] if heading else text)
    blocks = blocks if complete else blocks[:-1]
    if len(blocks) < 2 or sum(1 for block in blocks if _LABEL.match(block)) > 1:
        return Kind.ONE
    too_long = sum(map(len, blocks)) > MOST
    alike = sum(1 for block in blocks if _alone(block, _SHORTEST if too_long else _LEAST))
    if alike < (len(blocks) if len(blocks) < 5 else 0.8 * len(blocks)):
        return Kind.ONE
    if too_long:
        return Kind.LIST
    return Kind.ONE if _goes_on(blocks) else Kind.EITHER


def _alone(block: str, least: int) -> bool:
    text = _NUMBER.sub("", block, count=1).strip()
    return least <= len(text) <= 2 * MOST and _WHOLE.fullmatch(text) is not None


def _goes_on(blocks: Sequence[str]) -> bool:
    """Whether they are an abstract's sentences, one a line, rather than each an abstract."""
    if sum(1 for block in blocks if _OPENER.match(block) or _NUMBER.match(block)) > 1:
        return False
    return 2 * sum(1 for block in blocks if _SENTENCE.search(block)) < len(blocks)
