"""First pages as publishers, archives and universities print them, with invented texts.

A layout is a function of a random source; it gives the pages, and the abstract on them or None.
"""

import random
from collections.abc import Callable

from bench.papers.document import Put
from bench.papers.typeset import Sheet, body, prose, title, width, wrap

Pages = list[list[Put]]
Layout = Callable[[random.Random], tuple[Pages, str | None]]

_AUTHORS = ("Ada Lovelace and Charles Babbage", "A. Author, B. Writer & C. Scribe", "Maria Agnesi, Emmy Noether")
_PLACES = (
    "Department of Physics, University of Nowhere, 12345 Nowhere, Norway",
    "Institute of Public Health, Faculty of Medicine, University of Somewhere, Town",
    "School of Mathematics, Example University, PO Box 1, Example City 2000",
)
_PARTS = (
    ("Background", "Methods", "Results", "Conclusions"),
    ("Introduction", "Methods", "Results", "Conclusion"),
    ("Objectives", "Design", "Setting", "Main outcome measures", "Results", "Conclusions"),
    ("Purpose", "Materials and Methods", "Results", "Discussion"),
    ("Aims", "Methods and results", "Conclusion"),
    ("Context", "Objective", "Findings", "Interpretation"),
)


def head_of(rng: random.Random, size: float = 17, x: float = 72, place: bool = True) -> Sheet:
    sheet = Sheet(y=rng.choice((40, 60, 80)))
    sheet.par(title(rng), x, 460, size, bold=rng.random() < 0.7)
    sheet.put(rng.choice(_AUTHORS), x, 11, gap=8)
    if place:
        sheet.par(rng.choice(_PLACES), x, 440, 9)
    return sheet


def first_section(rng: random.Random, sheet: Sheet, heading: str = "1. Introduction") -> list[Put]:
    sheet.put(heading, 72, 12, bold=True, gap=14)
    sheet.par(body(rng, 10), size=10, gap=4)
    sheet.par(body(rng, 8), size=10, gap=4)
    return sheet.puts


def _keywords(rng: random.Random, sheet: Sheet, x: float = 72, size: float = 9) -> None:
    word = rng.choice(("Keywords: ", "Key words. ", "Index Terms - ", "KEYWORDS ", "Keywords and phrases: "))
    sheet.put(word + "water, health, models", x, size, gap=rng.choice((3, 8)))


def under_a_heading(rng: random.Random) -> tuple[Pages, str]:
    """LaTeX's article: a centred heading, a narrower and smaller text."""
    text, sheet = prose(rng, rng.randint(3, 9)), head_of(rng)
    sheet.put(rng.choice(("Abstract", "ABSTRACT", "Summary", "A B S T R A C T")), 280, 10, bold=True, gap=14)
    sheet.par(text, 110, 390, rng.choice((9, 9.5, 10)))
    if rng.random() < 0.6:
        _keywords(rng, sheet, 110)
    return [first_section(rng, sheet)], text


def two_columns(rng: random.Random) -> tuple[Pages, str]:
    """IEEE's: a bold word, bold text, index terms; the body in two columns."""
    text, sheet = prose(rng, rng.randint(4, 7)), head_of(rng)
    top = sheet.y
    sheet.par(rng.choice(("Abstract\u2014", "Abstract - ", "Summary\u2014")) + text, 54, 240, 9, bold=True, gap=20)
    _keywords(rng, sheet, 54)
    sheet.put("I. INTRODUCTION", 110, 10, gap=10)
    sheet.par(body(rng, 10), 54, 240, 10)
    right = Sheet(y=top)
    right.par(body(rng, 20), 312, 240, 10, gap=20)
    return [sheet.puts + right.puts], text


def with_footnotes(rng: random.Random) -> tuple[Pages, str]:
    """ACM's: footnotes in the abstract's size at the foot of its column."""
    text, sheet = prose(rng, rng.randint(4, 7)), head_of(rng)
    top = sheet.y
    sheet.put("ABSTRACT", 54, 12, bold=True, gap=20)
    sheet.par(text, 54, 240, 9)
    sheet.par(
        rng.choice(("\u2020", "*", "\u2021 ")) + "Part of the work was done while the authors were guests.", 54, 240, 9
    )
    sheet.par("*Supported by a foundation and by a centre for research on water, under contract 17.", 54, 240, 9, gap=2)
    sheet.par("Permission to make digital or hard copies of all or part of this work is granted.", 54, 240, 8, gap=9)
    right = Sheet(y=top)
    right.put("1. INTRODUCTION", 312, 12, bold=True, gap=20)
    right.par(body(rng, 20), 312, 240, 9)
    return [sheet.puts + right.puts], text


def structured(rng: random.Random) -> tuple[Pages, str]:
    """BMC's and PeerJ's: labelled paragraphs below the heading."""
    sheet, mark = head_of(rng), rng.choice((":", "."))
    sheet.put(rng.choice(("Abstract", "ABSTRACT")), 72, 12, bold=True, gap=14)
    texts = []
    for part in rng.choice(_PARTS):
        texts.append(f"{part}{mark} {prose(rng, rng.randint(1, 3))}")
        sheet.run_in(part + mark, texts[-1].removeprefix(part + mark + " "), gap=rng.choice((0, 5)))
    if rng.random() < 0.7:
        _keywords(rng, sheet)
    return [
        first_section(rng, sheet, rng.choice(("Background", "Introduction", "INTRODUCTION", "1. Introduction")))
    ], " ".join(texts)


def subheaded(rng: random.Random) -> tuple[Pages, str]:
    """PLOS': headings of the parts on lines of their own, in another size; an author summary follows."""
    sheet = head_of(rng)
    sheet.put("Abstract", 72, 14, bold=True, gap=16)
    texts = []
    for part in rng.choice(_PARTS):
        texts.append(f"{part} {prose(rng, rng.randint(1, 3))}")
        sheet.put(part, 72, rng.choice((11.5, 10)), bold=True, gap=rng.choice((6, 12)))
        sheet.par(texts[-1].removeprefix(part + " "), gap=4)
    sheet.put("Author summary", 72, 14, bold=True, gap=14)
    sheet.par(prose(rng, 3))
    return [first_section(rng, sheet, "Introduction")], " ".join(texts)


def in_two_columns(rng: random.Random) -> tuple[Pages, str]:
    """Wiley's: the abstract itself in two columns above the body's."""
    text, sheet = prose(rng, rng.randint(7, 11)), head_of(rng)
    sheet.y += 14
    sheet.columns(rng.choice(("Summary. ", "Abstract. ", "SUMMARY: ", "")) + text)
    _keywords(rng, sheet, 312, 10)
    sheet.put("Introduction", 72, 11, bold=True, gap=12)
    sheet.columns(body(rng, 20))
    return [sheet.puts], text


def bold_without_heading(rng: random.Random) -> tuple[Pages, str]:
    """Scientific Reports': a bold paragraph, then the body in the same size and width."""
    text, sheet, size = prose(rng, rng.randint(5, 8)), head_of(rng), rng.choice((9, 9.5, 10))
    sheet.par(text, 150, 390, size, bold=True, gap=20)
    sheet.par(body(rng, 12), 150, 390, size, gap=rng.choice((14, 24)))
    sheet.par(body(rng, 8), 150, 390, size, gap=0)
    return [sheet.puts], text


def below_a_licence(rng: random.Random) -> tuple[Pages, str]:
    """Hindawi's: dates, editor and licence in the abstract's own size above it."""
    sheet, parts = head_of(rng), rng.choice(_PARTS)
    text = " ".join(f"{part}. {prose(rng, 2)}" for part in parts) if rng.random() < 0.5 else prose(rng, 7)
    sheet.put("Correspondence should be addressed to Ada Lovelace; ada@example.org", 87, 9, gap=6)
    sheet.put("Received 9 November 2010; Accepted 25 December 2010", 87, 9, gap=8)
    sheet.put("Academic Editor: Charles Babbage", 87, 9, gap=8)
    licence = (
        "Copyright \u00a9 2010 Ada Lovelace et al. This is an open access article distributed under the Creative "
        "Commons Attribution License, which permits unrestricted use, distribution, and reproduction in any medium, "
        "provided the original work is properly cited."
    )
    sheet.par(licence, 87, 460, 9, gap=8)
    sheet.par(text, 87, 460, 9, gap=rng.choice((2, 8)))
    return [first_section(rng, sheet)], text


def beside_the_history(rng: random.Random) -> tuple[Pages, str]:
    """Elsevier's: the article's history to the left of the abstract, a copyright line at its end."""
    sheet, text = head_of(rng), prose(rng, rng.randint(4, 8))
    top = sheet.y + 20
    left = Sheet(y=top)
    left.put("a r t i c l e   i n f o", 40, 9)
    for line in ("Article history:", "Received 1 May 2008", "Accepted 3 June 2009", "Keywords:", "Water", "Health"):
        left.put(line, 40, 7, gap=1)
    sheet.y = top
    sheet.put("a b s t r a c t", 200, 9)
    tail = rng.choice(_TAILS)
    sheet.par(f"{text} {tail}", 200, 340, 8)
    return [left.puts + first_section(rng, sheet)], text


_TAILS = (
    "\u00a9 2009 Elsevier B.V. All rights reserved.",
    "2009 Elsevier B.V. All rights reserved.",
    "q 2009 Elsevier Ltd. All rights reserved.",
    "r 1998 Wiley-Liss, Inc.",
    "(c) 2001 Academic Press",
    "Copyright \u00a9 2003 John Wiley & Sons, Ltd.",
    "Copyright ( 1999 John Wiley & Sons, Ltd.",
    "Published in 2007 by John Wiley & Sons, Ltd.",
)


def with_a_copyright_line(rng: random.Random) -> tuple[Pages, str]:
    """The same line below a heading of its own."""
    sheet, text = head_of(rng), prose(rng, rng.randint(4, 8))
    sheet.put("SUMMARY", 72, 10, gap=14)
    tail = rng.choice(_TAILS)
    if rng.random() < 0.5:
        sheet.par(text)
        sheet.put(tail, 72, 10)
    else:
        sheet.par(f"{text} {tail}")
    _keywords(rng, sheet)
    return [first_section(rng, sheet)], text


def letter(rng: random.Random) -> tuple[Pages, str]:
    """Physical Review's: narrower, without a heading, a date above, numbers below."""
    sheet, text = head_of(rng), prose(rng, rng.randint(3, 6))
    sheet.put(rng.choice(("(Received 1 May 2009; published 3 June 2009)", "(Dated: May 1, 2009)")), 200, 9, gap=4)
    sheet.par(text, 110, 390, 9, gap=8)
    if rng.random() < 0.7:
        sheet.put("PACS numbers: 45.70.-n, 45.70.Mg", 110, 9, gap=6)
    sheet.y += 16
    sheet.columns(body(rng, 24))
    return [sheet.puts], text


def with_a_sidebar(rng: random.Random) -> tuple[Pages, str]:
    """Frontiers', MDPI's: editors, citation and licence in a narrow column to the left."""
    sheet, text = head_of(rng, x=180), prose(rng, rng.randint(5, 9))
    side = Sheet(y=sheet.y)
    side.put("Edited by:", 45, 7.5, bold=True)
    for line in (
        "Adam Smith, University of",
        "Nowhere, Norway",
        "Reviewed by: Eva Maier,",
        "University of Somewhere",
        "Citation: Lovelace A (2015)",
        "On water. Front. Ex. 5:158.",
        "Copyright: the authors. This",
        "is an open access article.",
    ):
        side.put(line, 45, 7.5, gap=2)
    sheet.y += 18
    name = rng.choice(("", "Abstract: ", "ABSTRACT: "))
    sheet.par(name + text, 180, 370, 9.5)
    sheet.put("Keywords: water, health, models", 180, 9, gap=6)
    sheet.put("1. Introduction", 180, 12, bold=True, gap=12)
    sheet.par(body(rng, 12), 180, 370, 10)
    return [sorted(side.puts + sheet.puts, key=lambda put: put.y)], text


def beside_its_heading(rng: random.Random) -> tuple[Pages, str]:
    """The heading in the margin, the text to its right."""
    sheet, text = head_of(rng), prose(rng, rng.randint(4, 7))
    size = rng.choice((9, 9.5, 10))
    word = rng.choice(("Abstract", "ABSTRACT", "Summary"))
    x = 72 + width(word, size, bold=True) + rng.choice((12, 20, 28))
    first = wrap(text, 530 - x, size)[0]
    sheet.put(word, 72, size, bold=rng.random() < 0.5, gap=16)
    sheet.puts.append(Put(first, x, sheet.y, size))
    hanging = rng.random() < 0.5
    sheet.par(text[len(first) :].strip(), x if hanging else 72, 530 - x if hanging else 458, size, gap=0)
    return [first_section(rng, sheet)], text


def labels_on_lines(rng: random.Random) -> tuple[Pages, str]:
    """BMJ's: bold labels without a mark, each part a paragraph."""
    sheet = head_of(rng)
    sheet.put("ABSTRACT", 72, 11, bold=True, gap=14)
    texts = []
    for part in ("Objective", "Design", "Setting", "Participants", "Results", "Conclusions"):
        texts.append(f"{part} {prose(rng, rng.randint(1, 2))}")
        sheet.run_in(part, texts[-1].removeprefix(part + " "), size=9, gap=rng.choice((0, 4)))
    return [first_section(rng, sheet, "INTRODUCTION")], " ".join(texts)


def title_page(rng: random.Random) -> tuple[Pages, str]:
    """A preprint's: title, authors and abstract alone, the body on the next page."""
    sheet, text = head_of(rng, 20), prose(rng, rng.randint(3, 6))
    sheet.put(rng.choice(("Abstract", "ABSTRACT")), 280, 11, bold=True, gap=60)
    sheet.par(text, 72, 460, 12, gap=10)
    sheet.put("August, 1994", 72, 12, gap=120)
    return [sheet.puts, first_section(rng, Sheet())], text


NAMED: tuple[Layout, ...] = (
    *(under_a_heading, two_columns, with_footnotes, structured, subheaded, beside_the_history, with_a_copyright_line),
    *(beside_its_heading, labels_on_lines, title_page),
)
UNNAMED: tuple[Layout, ...] = (in_two_columns, bold_without_heading, below_a_licence, letter, with_a_sidebar)
