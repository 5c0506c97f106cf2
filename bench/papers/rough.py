"""Pages on which something is out of order, as in real papers: some abstracts cannot be found whole on them."""

import random
from dataclasses import replace

from bench.papers.archives import BEHIND, NONE
from bench.papers.document import HEIGHT, Put
from bench.papers.layouts import NAMED, UNNAMED, Pages
from bench.papers.typeset import sentence

_LEFT = 60


def rough(rng: random.Random) -> tuple[Pages, str | None]:
    """A page of any layout, with one to three things out of order."""
    pages, abstract = rng.choice((*NAMED, *UNNAMED, *BEHIND, *NONE))(rng)
    for _ in range(rng.randint(1, 3)):
        number = rng.randrange(min(2, len(pages)))
        pages[number] = rng.choice((_with_a_gap, _with_another_size, _with_a_note, _with_a_figure, _cut))(
            rng, pages[number]
        )
    return pages, abstract


def _place(rng: random.Random, page: list[Put]) -> int:
    """Of a line in the upper half, where abstracts are."""
    return rng.randrange(max(1, len(page) // 2))


def _with_a_gap(rng: random.Random, page: list[Put], gap: float = 0) -> list[Put]:
    """All below a line stands lower."""
    y, gap = page[_place(rng, page)].y, gap or rng.choice((4, 9, 15, 25))
    return [replace(put, y=put.y + gap) if put.y > y else put for put in page]


def _with_another_size(rng: random.Random, page: list[Put]) -> list[Put]:
    """All from a line on is a little larger or smaller."""
    place, scale = _place(rng, page), rng.choice((0.9, 0.95, 1.06, 1.15))
    return [replace(put, size=put.size * scale) if i >= place else put for i, put in enumerate(page)]


def _with_a_note(rng: random.Random, page: list[Put]) -> list[Put]:
    """A sentence stands between two lines that does not belong there."""
    place = _place(rng, page)
    note = replace(page[place], text=sentence(rng), y=page[place].y + 13, size=rng.choice((8, 10)))
    return [*(replace(put, y=put.y + 14) if put.y > page[place].y else put for put in page), note]


def _with_a_figure(rng: random.Random, page: list[Put]) -> list[Put]:
    """A figure and its caption come between."""
    place, room = _place(rng, page), rng.choice((80, 150))
    y = page[place].y
    caption = Put(f"Figure 1. {sentence(rng)}", _LEFT, y + room - 10, 8)
    return [*(replace(put, y=put.y + room) if put.y > y else put for put in page), caption]


def _cut(rng: random.Random, page: list[Put]) -> list[Put]:
    """The page ends early, or begins late, as one of an extract does."""
    y = page[_place(rng, page)].y
    if rng.random() < 0.5:
        return [replace(put, y=put.y + 0.3 * HEIGHT) for put in page if put.y <= y]
    return [put for put in page if put.y >= y]
