"""How well and how fast abstracts are found in papers, and how far their confidence can be believed.

    python -m bench.pdf [FOLDER ...] [--made 8] [--rough 60] [--weights]

FOLDER has papers with their abstracts: manifest.json, a list of objects with `file` and `abstract`, and truth.json, an
object of files with their abstracts, or null for what must be refused; one of the two may be absent. If it has
negative.json, a list of objects with `file` and `expect`, those files in negative/ are shown, too. An abstract is right
at a token F1 of 0.9. Milliseconds are from the upload's bytes to the abstract, the start of the process included.

The reliability is out of sample: papers, and so many pages of each layout of bench.papers, some with things out of
order, are put into ten parts, all pages of a layout into one. The answers of each part have the confidence that weights
fitted to the other nine give. --weights prints those that are fitted to all, for service/pdf/confidence.py.
"""

import argparse
import contextlib
import json
import random
import re
import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pypdfium2 import PdfiumError

from bench.papers import archives, layouts
from bench.papers.document import make_pdf
from bench.papers.rough import rough
from bench.reliability import PARTS, Paper, cross_validated, fit
from service.cli.common import print_table
from service.errors import ServiceError
from service.pdf.extract import Extractor
from service.pdf.find import candidates
from service.pdf.worker import open_pages

ENOUGH: Final = 0.9
SECONDS: Final = 60.0
"""The benchmark may run on a busy machine, and is to show more than that something took too long."""
FOLDERS: Final = (Path("../shared/pdfs"), Path("../shared/cases/pdfs"))
LAYOUTS: Final = (*layouts.NAMED, *layouts.UNNAMED, *archives.BEHIND, *archives.NONE)
Row = tuple[str, float, str, float, float]
Truth = Mapping[str, str | None]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description="Abstracts found in papers.")
    parser.add_argument("folders", type=Path, nargs="*", default=FOLDERS, metavar="FOLDER")
    parser.add_argument("--made", type=int, default=8)
    parser.add_argument("--rough", type=int, default=60)
    parser.add_argument("--weights", action="store_true")
    options = parser.parse_args()
    extractor = Extractor(seconds=SECONDS)
    for folder in options.folders:
        show(extractor, folder)
    papers = [*real(options.folders), *made(options.made, options.rough)]
    for name, some in (("all", papers), ("real", [paper for paper in papers if paper.real])):
        print(f"\nout of sample, {name}: {len(some)} papers")
        print_table(("confidence", "answers", "mean", "right"), cross_validated(papers, some))
    if options.weights:
        for sign, weight in sorted(fit(papers).items()):
            print(f'    "{sign}": {weight:.1f},')


def show(extractor: Extractor, folder: Path) -> None:
    """What becomes of each file."""
    rows = [measure(extractor, folder / file, abstract) for file, abstract in read(folder).items()]
    print_table(("paper", "F1", "method", "confidence", "ms"), rows)
    good = sum(row[1] >= ENOUGH for row in rows)
    mean, middle = statistics.fmean(row[1] for row in rows), statistics.median(row[4] for row in rows)
    print(f"{good} of {len(rows)} at F1 >= {ENOUGH}; mean F1 {mean:.4f}; median {middle:.0f} ms")
    if (folder / "negative.json").exists():
        refused = json.loads((folder / "negative.json").read_text("utf-8"))
        answers = [(n["file"], n["expect"], refusal(extractor, folder / "negative" / n["file"])) for n in refused]
        print_table(("negative", "expected", "answer"), answers)


def read(folder: Path) -> dict[str, str | None]:
    """The files of a folder with their abstracts."""
    truth: dict[str, str | None] = {}
    if (folder / "manifest.json").exists():
        truth |= {
            paper["file"]: paper["abstract"] for paper in json.loads((folder / "manifest.json").read_text("utf-8"))
        }
    if (folder / "truth.json").exists():
        truth |= json.loads((folder / "truth.json").read_text("utf-8"))
    return truth


def real(folders: list[Path]) -> Iterator[Paper]:
    """The papers of the folders, and their files without an abstract."""
    for folder in folders:
        for file, abstract in read(folder).items():
            yield _paper((folder / file).read_bytes(), abstract, file, real=True)
        for path in sorted((folder / "negative").glob("*.pdf")):
            with contextlib.suppress(PdfiumError):
                yield _paper(path.read_bytes(), None, path.name, real=True)


def made(each: int, roughs: int) -> Iterator[Paper]:
    """So many pages of each layout, and so many on which something is out of order."""
    for layout in LAYOUTS:
        for seed in range(each):
            pages, abstract = layout(random.Random(f"{layout.__name__} {seed}"))
            yield _paper(make_pdf(*pages), abstract, layout.__name__, real=False)
    for seed in range(roughs):
        pages, abstract = rough(random.Random(f"rough {seed}"))
        yield _paper(make_pdf(*pages), abstract, f"rough {seed % PARTS}", real=False)


def _paper(data: bytes, abstract: str | None, kind: str, *, real: bool) -> Paper:
    with open_pages(data) as pages:
        found = list(candidates(pages))
    right = [token_f1(one.text, abstract or "") >= ENOUGH for one in found]
    return Paper(found, right, real, kind)


def measure(extractor: Extractor, path: Path, truth: str | None) -> Row:
    """File, F1, method or problem, confidence, milliseconds. F1 is 1 for a refusal where there is no abstract."""
    started = time.perf_counter()
    try:
        found = extractor.extract(path.read_bytes())
    except ServiceError as exc:
        return path.name, float(truth is None), type(exc).__name__, 0.0, (time.perf_counter() - started) * 1000
    seconds = time.perf_counter() - started
    return path.name, token_f1(found.text, truth or ""), found.method, found.confidence, seconds * 1000


def refusal(extractor: Extractor, path: Path) -> str:
    """The name of the problem, or how an abstract was found after all."""
    try:
        return extractor.extract(path.read_bytes()).method
    except ServiceError as exc:
        return type(exc).__name__


def token_f1(text: str, truth: str) -> float:
    """Harmonic mean of precision and recall over words and numbers, in whatever order (as SQuAD counts)."""
    ours, theirs = Counter(_tokens(text)), Counter(_tokens(truth))
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total() or 1)


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


if __name__ == "__main__":
    main()
