"""Lines of an invented paper."""

from collections.abc import Sequence

from bench.papers.document import Put

SENTENCES = (
    "We study the motion of small grains in a rotating drum and measure how they sort by size",
    "over many turns. The grains are followed by a camera at a high rate, and their paths are",
    "compared with a model in which each layer slides over the one below it. The model has a",
    "single parameter, which we obtain from the angle of repose, and agrees with what we see",
    "to within five percent. This shows that sorting is driven by the flow at the surface.",
)
BODY = (
    "Granular matter is found in many places, from the kitchen to the surface of other planets,",
    "and it has been studied for a long time [1, 2]. Still there is no theory that explains the",
    "way in which it flows, since grains neither behave like a liquid nor like a solid, and the",
    "number of them that is in motion changes with time. In what follows we describe a drum in",
)


def column(lines: Sequence[str], x: float, y: float, size: float = 10, step: float = 12) -> list[Put]:
    return [Put(line, x, y + i * step, size) for i, line in enumerate(lines)]


def head() -> list[Put]:
    return [
        Put("How grains sort themselves in a rotating drum", 120, 80, 17),
        Put("Ada Lovelace and Charles Babbage", 200, 110, 12),
        Put("Department of Physics, University of Nowhere, 12345 Nowhere", 150, 126, 9),
    ]
