"""How well and how fast abstracts are found in papers: token F1 against the true ones, method, milliseconds.

    python -m bench.pdf [FOLDER]

FOLDER has manifest.json, a list of objects with `file` and `abstract`, and if there are some that must be refused,
negative.json with `file` and `expect`, in the folder negative/. Milliseconds are from the upload's bytes to the
abstract, the start of the process that reads them included.
"""

import argparse
import json
import re
import statistics
import time
import unicodedata
from collections import Counter
from pathlib import Path

from service.cli.common import print_table
from service.errors import ServiceError
from service.pdf.extract import Extractor

ENOUGH = 0.9
SECONDS = 60.0
"""The benchmark may run on a busy machine, and is to show more than that something took too long."""
Row = tuple[str, float, str, float, float]


def main() -> None:
    """Prints a table, and a line that sums it up."""
    parser = argparse.ArgumentParser(description="Abstracts found in papers.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/pdfs"))
    folder = parser.parse_args().folder
    extractor = Extractor(seconds=SECONDS)
    rows = [measure(extractor, folder / paper["file"], paper["abstract"]) for paper in read(folder / "manifest.json")]
    print_table(("paper", "F1", "method", "confidence", "ms"), rows)
    good = sum(row[1] >= ENOUGH for row in rows)
    mean, middle = statistics.fmean(row[1] for row in rows), statistics.median(row[4] for row in rows)
    print(f"{good} of {len(rows)} at F1 >= {ENOUGH}; mean F1 {mean:.4f}; median {middle:.0f} ms")
    if (folder / "negative.json").exists():
        refused = read(folder / "negative.json")
        answers = [(n["file"], n["expect"], refusal(extractor, folder / "negative" / n["file"])) for n in refused]
        print_table(("negative", "expected", "answer"), answers)


def read(path: Path) -> list[dict[str, str]]:
    """The objects of a manifest."""
    papers: list[dict[str, str]] = json.loads(path.read_text("utf-8"))
    return papers


def measure(extractor: Extractor, path: Path, truth: str) -> Row:
    """File, F1, method or problem, confidence, milliseconds."""
    started = time.perf_counter()
    try:
        found = extractor.extract(path.read_bytes())
    except ServiceError as exc:
        return path.name, 0.0, type(exc).__name__, 0.0, (time.perf_counter() - started) * 1000
    seconds = time.perf_counter() - started
    return path.name, token_f1(found.text, truth), found.method, found.confidence, seconds * 1000


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
