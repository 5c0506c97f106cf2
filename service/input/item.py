"""What is read from a file: abstracts with where they stand and what came with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_RECORD: Final = 1 << 20
"""Characters of a line of JSON or of a table. An abstract has far fewer; other fields beside it may need some."""
MAX_BLOCK: Final = 4 << 20
"""Characters, or bytes of XML, of one record that takes several lines."""
MAX_PAPER: Final = 20 << 20
"""Bytes of a paper that is kept; of a longer one there is one byte more."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record: an abstract, or a whole paper, or what is wrong with it.

    place: where it stands ("line 7", "row 3", "entry 'smith2020'"). line: the number of its first line, where lines
    count. abstract: as it came. problem: why the record cannot be used; then there is neither abstract nor pdf.
    pdf: a paper's bytes. wishes: `threshold`, `top_k` and `also`, unchecked, where a JSON object brings them. fields:
    the whole record, names as they came. Texts hold no halves of characters but those of an abstract in JSON.
    """

    place: str
    abstract: str | None = None
    problem: str | None = None
    line: int | None = None
    input_id: str | None = None
    title: str | None = None
    pdf: bytes | None = None
    wishes: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Columns:
    """What is looked for: the names under which a record has abstract and id (None: the usual ones)."""

    text: str | None = None
    id: str | None = None
