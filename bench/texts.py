"""What is done to texts: normalising against the least that could be done, what is cut, what is warned of.

    python -m bench.texts [FILE...]

FILEs hold labelled abstracts (JSON lines, packed or not); without, those of the development data where they lie beside
the checkout. Normalising is compared, in turns, with Unicode's NFC and single spaces alone. The texts that are no
abstracts are the tests' (tests/model/text/texts.jsonl).
"""

import argparse
import json
import statistics
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.corpus import DATA, abstracts
from model.text import cut_edges, normalise
from model.text.warnings import find_warnings
from model.training.data.rows import read_texts
from service.cli.common import print_table

ODD: Final = Path("tests/model/text/texts.jsonl")
DEVELOPMENT: Final = ("arxiv-dev-2026.jsonl.gz", "arxiv-dev.jsonl.gz")
DISTINCT: Final = 12_000
ROUNDS: Final = 5


def main() -> None:
    """Prints a line on time, and a table of what is cut and warned of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    files = parser.parse_args().files or [path for name in DEVELOPMENT if (path := DATA / name).exists()]
    _print_time(abstracts(DISTINCT))
    rows = [(path.name, *_shares([*read_texts(path)])) for path in files]
    made = [json.loads(line) for line in ODD.read_text("utf-8").splitlines()]
    for about, is_abstract in (("abstracts of other fields", True), ("no abstracts", False)):
        rows.append((about, *_shares([text["text"] for text in made if (text["kind"] == "abstract") is is_abstract])))
    print_table(("TEXTS OF", "NUMBER", "NORMAL ALREADY", "CUT", "WARNED OF"), rows)


def _print_time(texts: Sequence[str]) -> None:
    ours, least = [], []
    for _ in range(ROUNDS):
        least.append(_microseconds(_least, texts))
        ours.append(_microseconds(normalise, texts))
    ratio = statistics.median(mine / bare for mine, bare in zip(ours, least, strict=True))
    print(
        f"{len(texts)} distinct abstracts: {min(ours):.1f} microseconds each, {ratio:.1f} times NFC and single spaces"
    )


def _microseconds(work: Callable[[str], str], texts: Sequence[str]) -> float:
    started = time.process_time()
    for text in texts:
        work(text)
    return (time.process_time() - started) / len(texts) * 1e6


def _least(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _shares(texts: Sequence[str]) -> tuple[int, str, int, str]:
    """How many; the share in normal form already; of how many an edge is cut; the share that is warned of."""
    normal = [normalise(text) for text in texts]
    same = sum(text == " ".join(given.split()) for text, given in zip(normal, texts, strict=True))
    cut = sum(cut_edges(spaced) != spaced for spaced in (" ".join(text.split()) for text in texts))
    warned = sum(bool(find_warnings(text)) for text in normal)
    return len(texts), f"{100 * same / len(texts):.0f} %", cut, f"{100 * warned / len(texts):.2f} %"


if __name__ == "__main__":
    main()
