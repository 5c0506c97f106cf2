"""Tokens against milliseconds: the LiteRT engine on the shipped model, on 1 and on all cores, in one interleaved run.

    python -m bench.engine [--rounds N]

Compared: each number of tokens against 128 tokens, and one thread against all, within the same run; loading and the
first answer are stated on their own. Times depend on the machine, ratios less so.
"""

import argparse
import os
import resource
import statistics
import time

from rich.console import Console
from rich.table import Table

from model.artifact import WEIGHTS
from model.engines.litert import LiteRTEngine
from model.registry import Registry

LENGTHS = (32, 64, 128, 192, 256, 512)
REFERENCE = 128


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    began = time.perf_counter()
    artifact = Registry(None, "arxiv-mini").get("arxiv-mini").require()
    verified = time.perf_counter()
    threads = (1, os.cpu_count() or 1)
    engines = {n: LiteRTEngine(artifact.path / WEIGHTS, len(artifact.manifest.labels), n) for n in threads}
    engines[threads[-1]].scores([101] * REFERENCE)
    answered = time.perf_counter()

    times: dict[tuple[int, int], list[float]] = {(n, length): [] for n in threads for length in LENGTHS}
    for _ in range(rounds):
        for (n, length), found in times.items():
            ids = [101, *[2005] * (length - 2), 102]
            start = time.perf_counter()
            engines[n].scores(ids)
            found.append(1000 * (time.perf_counter() - start))
    console = Console()
    console.print(_table(times, threads))
    console.print(f"verify {verified - began:.2f} s, load and first answer {answered - verified:.2f} s")
    console.print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    for engine in engines.values():
        engine.close()


def _table(times: dict[tuple[int, int], list[float]], threads: tuple[int, ...]) -> Table:
    """One row a length: median ms with each number of threads, and the two ratios."""
    most = threads[-1]
    columns = (f"ms, {n} threads" for n in threads)
    table = Table("tokens", *columns, f"to {REFERENCE} tokens", "1 thread to all")
    reference = statistics.median(times[most, REFERENCE])
    for length in LENGTHS:
        medians = [statistics.median(times[n, length]) for n in threads]
        table.add_row(
            str(length),
            *(f"{median:.1f}" for median in medians),
            f"{medians[-1] / reference:.2f}",
            f"{medians[0] / medians[-1]:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
