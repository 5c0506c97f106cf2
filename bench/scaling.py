"""How far it goes: what is stored, memory, limits, jobs and requests at 10^9 predictions and 10^4 requests a second.

    python -m bench.scaling [--stored 1000000] [--seconds 3] [--minutes 2]

*Stored*: a SQLite file that grows to `--stored` predictions, at each power of ten its bytes, the time of a get and of a
put there; what that makes of 10^9, and the memory that Couchbase wants for keys and metadata by its own sizing
guidelines (56 bytes a document). *Memory*: which part of 10^4 requests a second the predictions kept in each of 16
processes answer, by a simulation of `--minutes` with the cache that the service uses: texts are drawn from 10^9 by a
power law, and one that is kept for 30 s is read again. *Limits*: what counting costs the store at that rate, by a
simulation of a minute with the service's own leases over 16 processes and the default limits. *Jobs*: the time to find
the next chunk. *Requests*: the real server in one process, asked for stored answers and for texts that are new, by this
machine, too; processor time for each, and what 10^4 requests a second take of it.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cachetools import TTLCache

from bench.corpus import abstracts
from bench.load import free_port, load, processor_seconds, request, variables, wait
from config import Settings, load_settings
from service.access.leases import LeasedWindows
from service.access.ratelimits import RateLimits, Window
from service.bootstrap import Services
from service.cli.common import print_table
from service.errors import LimitExceeded
from service.jobs.turns import Turns, new_holder, next_claim
from storage.backends.memory import MemoryBackend
from storage.backends.sqlite.backend import SQLiteBackend
from storage.ratelimit import BackendStorage
from storage.records.apikeys import ApiKey, Keys
from storage.records.jobs import Jobs
from storage.records.predictions import Prediction, Predictions

ALL: Final = 10**9
"""Predictions, and texts that are asked for."""
RATE: Final = 10**4
"""Requests a second."""
PROCESSES: Final = 16
MODEL, DIGEST, LABELS = "arxiv-mini", f"sha256:{'5e' * 32}", 20
KEY_BYTES: Final = len(f"{MODEL}/0/") + 64
METADATA: Final = 56
"""Bytes of memory that Couchbase holds for each document besides its key (its sizing guidelines)."""
LOOKED_AT: Final = 2000
PATH: Final = "/api/predict/"
NEW: Final = 300
"""Abstracts that the server has not seen."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What 10^9 predictions and 10^4 requests a second take.")
    parser.add_argument("--stored", type=int, default=10**6, help="predictions in the largest file")
    parser.add_argument("--seconds", type=float, default=3, help="length of each load on the server")
    parser.add_argument("--minutes", type=float, default=2, help="of requests that are simulated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = list(itertools.takewhile(lambda size: size <= options.stored, (10**power for power in range(4, 10))))
        print_table(("stored in SQLite", "bytes each", "get µs", "put µs", "file"), stored(Path(folder), sizes))
        print_table(("10^9 stored in", "on disk", "in memory"), everything(Path(folder)))
    print_table(
        ("exponent", "kept by each process", "answered from memory %", "gets of the store a second"),
        remembered(options.minutes * 60),
    )
    print_table(("API keys", "requests", "refused %", "calls of the store a second", "for each request"), counted())
    print_table(("open jobs", "ms to the next chunk"), claimed())
    costs = served(options.seconds)
    print_table(
        ("answered from", "answers/s of one process", "processor ms each"),
        (row(name, *cost) for name, cost in costs.items()),
    )
    print_table(("new texts %", "cores for 10^4 requests/s", "of them for the model"), needed(costs))


# Stored.


def stored(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[object, ...]]:
    """A row for each size of the file."""
    path, draw, known = folder / "stored.sqlite", random.Random(1), []
    with closing(SQLiteBackend(path)) as backend:
        predictions, present = Predictions(backend), 0
        for size in sizes:
            while present < size - LOOKED_AT:
                predictions.put(made_up(draw))
                present += 1
            new = [made_up(draw) for _ in range(LOOKED_AT)]
            put = mean(predictions.put, new)
            present += LOOKED_AT
            known += [prediction.id for prediction in new]
            asked = draw.sample(known, LOOKED_AT)
            get = mean(lambda id: predictions.get(id, MODEL, LABELS), asked)
            written = sum(file.stat().st_size for file in folder.glob("stored.sqlite*"))
            yield (
                f"{size:,}",
                f"{written / size:.0f}",
                f"{get * 1e6:.0f}",
                f"{put * 1e6:.0f}",
                f"{written / 1e6:.0f} MB",
            )


def everything(folder: Path) -> Iterator[tuple[object, ...]]:
    """What 10^9 take, by the file that `stored` left."""
    path = folder / "stored.sqlite"
    with closing(SQLiteBackend(path)) as backend:
        keys = itertools.islice(backend.scan("results"), 100_000)
        number = sum(1 for _ in backend.scan("results"))
        value = sum(len(entry.value) for _, entry in keys) / min(number, 100_000)
    each = path.stat().st_size / number
    yield "SQLite", f"{each * ALL / 1e9:.0f} GB", "as much of it as is asked for often"
    for replicas in (0, 1):
        copies = replicas + 1
        disk, memory = (ALL * copies * size / 1e9 for size in (METADATA + KEY_BYTES + value, METADATA + KEY_BYTES))
        yield f"Couchbase, {replicas} replicas", f"{disk:.0f} GB", f"{memory:.0f} GB for keys and metadata"


def made_up(draw: random.Random) -> Prediction:
    """A prediction with scores of chance, as long as real ones."""
    scores = tuple(round(draw.random(), 7) for _ in range(LABELS))
    return Prediction(f"{draw.getrandbits(256):064x}", MODEL, DIGEST, scores, datetime.now(UTC), None, None, 200, 200)


def mean(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Seconds a call."""
    started = time.perf_counter()
    for argument in arguments:
        call(argument)
    return (time.perf_counter() - started) / len(arguments)


# Memory.


def remembered(seconds: float) -> Iterator[tuple[object, ...]]:
    """A row for each law and size; the first half of the time fills the memory and does not count."""
    for exponent, size in itertools.product((0.8, 1.0, 1.2), (Settings.l1_size, 100_000)):
        share = hits(exponent, size, int(seconds * RATE / PROCESSES))
        yield str(exponent), f"{size:,}", f"{share * 100:.1f}", f"{RATE * (1 - share):.0f}"


def hits(exponent: float, size: int, requests: int) -> float:
    """The part of the requests of one process that its memory answers."""
    clock, draw, found = [0.0], random.Random(2), 0
    memory: TTLCache[int, bool] = TTLCache(size, Settings.l1_ttl.total_seconds(), timer=lambda: clock[0])
    for number in range(requests):
        clock[0] = number * PROCESSES / RATE
        text = drawn(exponent, draw.random())
        if text in memory:
            found += number >= requests // 2
            memory.get(text)
        else:
            memory[text] = True
    return found / (requests - requests // 2)


def drawn(exponent: float, chance: float) -> int:
    """A text by a power law over 10^9: the inverse of the continuous law's distribution (bounded Pareto)."""
    if exponent == 1:
        return int(ALL**chance)
    end = 1 - exponent
    return int((1 + chance * (ALL**end - 1)) ** (1 / end))


# Limits.


class Counters(BackendStorage):
    """Counts in a dictionary, at a time that is set; knows how often it was asked."""

    def __init__(self) -> None:
        self.time = 0.0
        super().__init__(backend=MemoryBackend(), now=lambda: self.time)
        self.calls = 0
        self.totals: Counter[str] = Counter()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:  # noqa: ARG002  (all of it is in one window)
        """As the store counts, within one window."""
        self.calls += 1
        self.totals[key] += amount
        return self.totals[key]


def counted() -> Iterator[tuple[object, ...]]:
    """A row for each number of keys; each has an address of its own, and any process may be asked."""
    for number in (100, 1000, 10_000):
        counters, draw, refused = Counters(), random.Random(3), 0
        notations = {"ip": Settings.limit_ip, "key": Settings.limit_key, "inference": Settings.limit_inference}
        processes = [RateLimits(LeasedWindows(counters), **notations) for _ in range(PROCESSES)]
        keys = make_keys(number)
        for request_number in range(60 * RATE):
            counters.time = request_number / RATE
            chosen, limits = draw.randrange(number), draw.choice(processes)
            refused += not spent(limits, f"192.0.{chosen >> 8}.{chosen & 255}", keys[chosen])
        each = counters.calls / (60 * RATE)
        yield f"{number:,}", f"{60 * RATE:,}", f"{refused / (60 * RATE) * 100:.2f}", f"{each * RATE:.0f}", f"{each:.3f}"


def make_keys(number: int) -> list[ApiKey]:
    """So many API keys."""
    with closing(MemoryBackend()) as backend:
        keys = Keys(backend)
        return [keys.create(f"key {n}", ["predict"])[0] for n in range(number)]


def spent(limits: RateLimits, address: str, key: ApiKey) -> bool:
    """Whether a request is let through, as the gate counts it."""
    windows: list[Window] = []
    try:
        limits.spend_request(address, windows)
        limits.spend_key(key, windows)
    except LimitExceeded:
        return False
    return True


# Jobs.


def claimed() -> Iterator[tuple[object, ...]]:
    """A row for each number of open jobs, each another key's, in a SQLite file."""
    with tempfile.TemporaryDirectory() as folder, closing(SQLiteBackend(Path(folder) / "jobs.sqlite")) as backend:
        jobs, turns, texts, made = Jobs(backend, ttl=timedelta(days=1)), Turns(), abstracts(64), 0
        for number in (10, 100, 500):
            while made < number:
                jobs.create(f"key {made}", MODEL, texts)
                made += 1
            took = mean(lambda _: next_claim(jobs, turns, new_holder()), range(10))
            yield number, f"{took * 1e3:.1f}"


# Requests.


def served(seconds: float) -> dict[str, tuple[float, float]]:
    """Answers a second and processor seconds for each, by where they come from."""
    texts = abstracts(NEW)
    costs = {}
    for name, size in (("memory", "4096"), ("SQLite", "0")):
        with tempfile.TemporaryDirectory() as folder, running(folder, ABSTRACTS_L1_SIZE=size) as (port, group, key):
            asked = request(PATH, key, json.dumps({"abstract": texts[0]}).encode())
            load(port, iter([asked, asked]), 1, 60)
            costs[name] = cost(port, group, itertools.repeat(asked), seconds)
            if name == "memory":
                new = [request(PATH, key, json.dumps({"abstract": text}).encode()) for text in texts[1:]]
                costs["the model"] = cost(port, group, iter(new), 600, connections=2)
    return costs


def cost(
    port: int, group: int, asked: Iterator[bytes], seconds: float, *, connections: int = 16
) -> tuple[float, float]:
    """Answers a second, and processor seconds for each."""
    before, started = processor_seconds(group), time.perf_counter()
    rate = load(port, asked, connections, seconds)
    return rate, (processor_seconds(group) - before) / (rate * (time.perf_counter() - started))


@contextmanager
def running(folder: str, **settings: str) -> Iterator[tuple[int, int, str]]:
    """A server: its port, its group of processes, and an API key."""
    port = free_port()
    environ = {**variables(folder), "ABSTRACTS_PORT": str(port), **settings}
    with closing(Services(load_settings(environ))) as services:
        key = services.keys.create("bench", ["predict"])[1]
    command = [sys.executable, "-m", "service", "serve"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, env=os.environ | environ, stdout=quiet, stderr=quiet, start_new_session=True
    ) as process:
        try:
            wait(port)
            yield port, process.pid, key
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def row(name: str, rate: float, seconds: float) -> tuple[object, ...]:
    """As it is printed."""
    return name, f"{rate:.0f}", f"{seconds * 1e3:.2f}"


def needed(costs: dict[str, tuple[float, float]]) -> Iterator[tuple[object, ...]]:
    """The cores that 10^4 requests a second take, where what is stored comes from the store each time."""
    hit, miss = costs["SQLite"][1], costs["the model"][1]
    for share in (0.0, 0.01, 0.1):
        model = RATE * share * miss
        yield f"{share * 100:.0f}", f"{RATE * (1 - share) * hit + model:.0f}", f"{model:.0f}"


if __name__ == "__main__":
    main()
