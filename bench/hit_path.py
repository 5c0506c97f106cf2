"""What a stored answer costs: its rate against a bare Flask route, over many distinct abstracts.

    python -m bench.hit_path [--abstracts 12000] [--seconds 2] [--rounds 5] [--connections 16]
                             [--stores memory sqlite couchbase] [--draws uniform zipf]

Every side is a server of its own in a process of its own, all with the same number of threads; rounds take turns. The
load comes from this process over keep-alive connections on loopback, the same bodies in the same order for each side:
all abstracts equally often, or by Zipf's law. `bare` is a Flask route that reads the JSON and answers as many bytes as
a prediction has, on this project's server and on Granian. `memory`: all predictions are kept in the process. `sqlite`
and `couchbase`: none is, so that the store is read each time. Each is there twice: with the lane that answers before
Flask is asked, and through Flask alone. The server's processor time for an answer depends less on what else the machine
does than the rate. At the end: where in the code the time of the lane goes, by cProfile, in process and without the
access log.
"""

import argparse
import asyncio
import cProfile
import itertools
import json
import os
import pstats
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask import request as flask_request

from bench.cluster import couchbase_cluster
from bench.corpus import abstracts
from bench.load import free_port, load, processor_seconds, request, variables, wait
from config import load_settings
from service.app import Application, create_app
from service.bootstrap import Services
from service.cli.common import print_table
from service.front.connection import Connection
from service.front.server import run
from service.front.worker import Served, Worker
from service.predicting.requests import plain_request
from service.telemetry.logs import AccessLog
from storage.records.predictions import Prediction

BARE, ON_GRANIAN = "bare", "bare on granian"
STORES = ("memory", "sqlite", "couchbase")
DRAWS = ("uniform", "zipf")
COLUMNS = ("side", "draw", "answers/s", "to bare", "to bare on granian", "processor µs")
PATH = "/api/predict/"
ANSWER = 1200
"""Bytes of the bare route's answer, about as many as a prediction has."""
ZIPF = 1.0
"""The exponent: the n-th abstract is asked for 1/n as often as the first."""
Round = dict[tuple[str, str], tuple[float, float]]
"""By draw and side: answers a second, and processor seconds for each."""


@dataclass(frozen=True)
class Side:
    """A server: how it serves, with which settings; the key to ask it with."""

    name: str
    kind: str
    settings: dict[str, str]
    key: str


@dataclass(frozen=True)
class Running:
    """Where it runs, as which group of processes; what it is asked."""

    side: Side
    port: int
    group: int
    requests: Sequence[bytes]


def main() -> None:
    """Print two tables."""
    options = _options()
    if options.serve:
        serve(options.serve)
        return
    bodies = [json.dumps({"abstract": text}).encode() for text in abstracts(options.abstracts)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = [Side(BARE, BARE, variables(folder), "none"), Side(ON_GRANIAN, "granian", variables(folder), "none")]
        for store in options.stores:
            settings = variables(folder) | _settings(store, stack)
            key = _fill(settings, bodies)
            sides.append(Side(store, "lane", settings, key))
            sides.append(Side(f"{store}, Flask alone", "flask", settings, key))
        running = [stack.enter_context(_running(side, bodies)) for side in sides]
        print_table(COLUMNS, _rows(_measure(options, running)))
        print_table(("part of the lane", "share %", "µs"), _shares(sides, bodies))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rate of stored answers against a bare Flask route.")
    parser.add_argument("--abstracts", type=int, default=12_000, help="how many distinct ones")
    parser.add_argument("--seconds", type=float, default=2, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES)
    parser.add_argument("--draws", nargs="+", choices=DRAWS, default=DRAWS)
    parser.add_argument("--serve", choices=("lane", "flask", BARE, "granian"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _settings(store: str, stack: ExitStack) -> dict[str, str]:
    if store == "memory":
        return {"ABSTRACTS_L1_SIZE": "100000", "ABSTRACTS_L1_TTL": "86400"}
    if store == "sqlite":
        return {"ABSTRACTS_L1_SIZE": "0"}
    cluster = stack.enter_context(couchbase_cluster())
    return {
        "ABSTRACTS_L1_SIZE": "0",
        "ABSTRACTS_STORE_URL": cluster.url,
        "ABSTRACTS_STORE_USERNAME": cluster.username,
        "ABSTRACTS_STORE_PASSWORD": cluster.password,
        "ABSTRACTS_STORE_TIMEOUT": "2s",
    }


def _fill(settings: dict[str, str], bodies: Sequence[bytes]) -> str:
    """Stores a prediction for each abstract, with scores of chance; an API key that may ask for them."""
    services, draw = Services(load_settings(settings)), random.Random(1)
    with closing(services):
        model = services.models.get()
        for body in bodies:
            asked = plain_request(body)
            assert asked is not None
            id, scores = model.key(asked[0].text), tuple(round(draw.random(), 7) for _ in model.labels)
            services.predictions.put(Prediction(id, model.name, model.digest, scores, datetime.now(UTC), None, None))
        return services.keys.create("bench", ["predict"])[1]


def bare_app() -> Flask:
    """The least that a Flask route can do with JSON."""
    app = Flask("bare", static_folder=None)

    @app.post("/bare")
    @app.post(PATH)
    def bare() -> dict[str, str]:
        flask_request.get_json()
        return {"answer": "x" * ANSWER}

    return app


def service_app() -> Application:
    """The service of the environment's settings, in this process; its access log goes nowhere."""
    services = Services(load_settings())
    services.access_log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    return create_app(services=services)


def new_key(service: Application) -> str:
    """An API key that may predict."""
    return service.services.keys.create("bench", ["predict"])[1]


def serve(kind: str) -> None:
    """Runs a server of the environment's settings until it is ended."""
    settings = load_settings()
    if kind == "granian":
        from granian import Granian
        from granian.constants import Interfaces

        threads = settings.server_threads
        server = Granian(
            "bench", port=settings.port, interface=Interfaces.WSGI, blocking_threads=threads, log_enabled=False
        )
        server.serve(target_loader=lambda _: bare_app())
    elif kind == BARE:
        run(settings, lambda: Served(bare_app(), lambda _method, _path: 64 << 10, settings.server_threads))
    else:
        run(settings, Application.load if kind == "lane" else lambda: replace(Application.load(), lane=None))


@contextmanager
def _running(side: Side, bodies: Sequence[bytes]) -> Iterator[Running]:
    """The server, which has answered each request once."""
    port = free_port()
    command = [sys.executable, "-m", "bench.hit_path", "--serve", side.kind]
    environ = os.environ | side.settings | {"ABSTRACTS_PORT": str(port)}
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, start_new_session=True, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait(port, PATH)
            requests = [request(PATH, side.key, body) for body in bodies]
            load(port, iter(requests), 1, 3600)
            yield Running(side, port, server.pid, requests)
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def _drawn(running: Running, draw: str) -> Iterator[bytes]:
    """Requests without end, the same for every side."""
    choose, requests = random.Random(2), running.requests
    if draw == "uniform":
        while True:
            yield from choose.sample(requests, len(requests))
    weights = list(itertools.accumulate(1 / (rank + 1) ** ZIPF for rank in range(len(requests))))
    while True:
        yield from choose.choices(requests, cum_weights=weights, k=10_000)


def _measure(options: argparse.Namespace, running: Sequence[Running]) -> list[Round]:
    rounds: list[Round] = []
    for draw, _ in itertools.product(options.draws, range(options.rounds)):
        taken: Round = {}
        for each in running:
            before, asked = processor_seconds(each.group), _drawn(each, draw)
            rate = load(each.port, asked, options.connections, options.seconds)
            used = processor_seconds(each.group) - before
            taken[draw, each.side.name] = rate, used / (rate * options.seconds)
        rounds.append(taken)
    return rounds


def _rows(rounds: list[Round]) -> Iterator[list[str]]:
    """Of each side the median rate and processor time, and of each round the ratios to the bare route."""
    for draw, name in dict.fromkeys(itertools.chain.from_iterable(rounds)):
        own = [taken for taken in rounds if (draw, name) in taken]
        ratios = {bare: [taken[draw, name][0] / taken[draw, bare][0] for taken in own] for bare in (BARE, ON_GRANIAN)}
        yield [
            name,
            draw,
            f"{statistics.median(taken[draw, name][0] for taken in own):.0f}",
            *(f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})" for found in ratios.values()),
            f"{statistics.median(taken[draw, name][1] for taken in own) * 1e6:.0f}",
        ]


def _shares(sides: Sequence[Side], bodies: Sequence[bytes]) -> list[list[str]]:
    """Where the time goes of the first side with a lane: by module; what is in C counts for its caller."""
    side = next(each for each in sides if each.kind == "lane")
    profile = asyncio.run(_profile(side, [request(PATH, side.key, body) for body in bodies]))
    spent: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if file == "~":
            for (caller, _, _), (_, _, part, _) in callers.items():
                spent[_part(caller)] += part
        elif name != "_profile":
            spent[_part(file)] += own
    whole = sum(spent.values())
    return [
        [part, f"{seconds / whole * 100:.0f}", f"{seconds / len(bodies) * 1e6:.0f}"]
        for part, seconds in spent.most_common(12)
    ]


def _part(file: str) -> str:
    for package in ("service", "storage", "model", "config"):
        head, found, tail = file.rpartition(f"/{package}/")
        if found and "site-packages" not in head:
            return f"{package}/{tail}"
    return f"others ({file.rpartition('/')[2]})"


async def _profile(side: Side, requests: Sequence[bytes]) -> cProfile.Profile:
    """Of a connection that is given each request twice, and whose answers go nowhere; the second time is measured."""
    os.environ |= side.settings | {"ABSTRACTS_LOG_LEVEL": "WARNING"}  # standard output is for the table
    served = Application.load()
    with closing(served), socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(Worker(served, listener))
        connection.connection_made(Nowhere())
        profile = cProfile.Profile()
        for data in requests:
            connection.data_received(data)
            while not connection.idle:  # the first time, Flask or a thread may have to answer
                await asyncio.sleep(0)
        with profile:
            for data in requests:
                connection.data_received(data)
                while not connection.idle:
                    await asyncio.sleep(0)
    return profile


class Nowhere(asyncio.Transport):
    """Takes whatever is written."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """An address for the client, nothing else."""
        return ("127.0.0.1", 1) if name == "peername" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drops it."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def pause_reading(self) -> None:
        """There is nothing to pause."""

    resume_reading = pause_reading


if __name__ == "__main__":
    main()
