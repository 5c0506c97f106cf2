"""Setting invented texts in lines, columns and pages."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.papers.document import Put

_METRICS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 "
    "278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 "
    "722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 "
    "556 556 333 500 278 556 500 722 500 500 500 "
)
_WIDTHS = [int(each) for each in _METRICS.split()]
"""Helvetica's, in thousandths, from the space to z."""

_WHO = (
    "We",
    "The authors",
    "Two groups of patients",
    "These models",
    "Small towns",
    "Most of the samples",
    "Our methods",
)
_DO = ("study", "describe", "compare", "have measured", "were used to explain", "depend on", "show", "are related to")
_WHAT = (
    "the growth of {a} in {b}",
    "how {a} is changed by {b}",
    "a large number of cases of {a} with {b}",
    "the effect of {a} on the structure of {b}",
    "whether {a} and {b} are as common as it is thought",
    "what is known about {a} and its use for {b}",
)
_HOW = (
    "in a simple and robust way",
    "over a period of two years",
    "by means of a new method that needs little time",
    "with the help of a survey",
    "at low cost and without loss of quality",
    "for which there was no theory until now",
)
_THINGS = (
    *("water", "public health", "graphs", "early galaxies", "thin films", "care", "rice fields", "memory", "credit"),
    *("young trees", "software", "magnetic fields", "infection", "language", "light", "insurance", "soil", "traffic"),
)


def sentence(rng: random.Random) -> str:
    """An invented one, of about 18 words."""
    first, second = rng.sample(_THINGS, 2)
    what = rng.choice(_WHAT).format(a=first, b=second)
    return f"{rng.choice(_WHO)} {rng.choice(_DO)} {what} {rng.choice(_HOW)}."


def prose(rng: random.Random, sentences: int) -> str:
    """A paragraph."""
    return " ".join(sentence(rng) for _ in range(sentences))


def body(rng: random.Random, sentences: int) -> str:
    """A paragraph of an introduction, which cites."""
    return " ".join(f"{sentence(rng)[:-1]} [{rng.randint(1, 40)}]." for _ in range(sentences))


def title(rng: random.Random) -> str:
    first, second = rng.sample(_THINGS, 2)
    return f"On the use of {first} for {second}: a study of {rng.randint(3, 90)} cases"


def width(text: str, size: float, bold: bool = False) -> float:
    """In points."""
    units = sum(_WIDTHS[ord(c) - 32] if 32 <= ord(c) <= 122 else 556 for c in text)
    return units * size / 1000 * (1.07 if bold else 1)


def wrap(text: str, room: float, size: float, bold: bool = False) -> list[str]:
    """Lines of at most `room` points."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(longer, size, bold) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@dataclass
class Sheet:
    """A page that fills from the top."""

    y: float = 60
    puts: list[Put] = field(default_factory=list)

    def put(self, text: str, x: float, size: float = 10, bold: bool = False, gap: float = 0) -> None:
        """One line, `gap` more points below the last."""
        self.y += 1.2 * size + gap
        self.puts.append(Put(text, x, self.y, size, bold))

    def par(
        self, text: str, x: float = 72, room: float = 460, size: float = 10, bold: bool = False, gap: float = 6
    ) -> None:
        """A paragraph."""
        for i, line in enumerate(wrap(text, room, size, bold)):
            self.put(line, x, size, bold, gap if i == 0 else 0)

    def run_in(self, label: str, text: str, x: float = 72, room: float = 460, size: float = 10, gap: float = 6) -> None:
        """A paragraph that begins with a bold label."""
        indent = width(label + " ", size, bold=True)
        first = wrap(text, room - indent, size)[0]
        self.put(label, x, size, bold=True, gap=gap)
        self.puts.append(Put(first, x + indent, self.y, size))
        rest = text[len(first) :].strip()
        if rest:
            self.par(rest, x, room, size, gap=0)

    def columns(self, text: str, size: float = 10, room: float = 225, xs: Sequence[float] = (72, 312)) -> None:
        """Text that fills two columns evenly."""
        lines = wrap(text, room, size)
        half = (len(lines) + 1) // 2
        top, self.y = self.y, self.y + 1.2 * size * half
        for i, line in enumerate(lines):
            self.puts.append(Put(line, xs[i // half], top + 1.2 * size * (i % half + 1), size))
