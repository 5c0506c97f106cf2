"""What a stored answer costs: its rate against a bare Flask route on the same server, over SQLite and over Couchbase.

    python -m bench.hit_path [--seconds 2] [--rounds 7] [--connections 8] [--model NAME] [--stores sqlite couchbase]

All live in one Granian process, so that none gets the luckier server; rounds take turns. The load comes from another
process over keep-alive connections on loopback. The server's processor time for each answer is compared too. Each
store stands there twice: with the predictions kept in memory (L1), as the service runs by default, and without, so that
the store is read each time. Limits are counted in the store, too, in leases.
Before all that, over SQLite, the same without the network, through the WSGI callable.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from flask import Flask

from bench.cluster import couchbase_cluster
from bench.load import CPU, WSGI, call, free_port, load, request, seconds_per_call, variables, wait
from config import load_settings
from service.app import Application, create_app
from service.bootstrap import Services
from service.cli.common import print_table
from service.telemetry.logs import AccessLog

BARE = "bare"
Sides = dict[str, dict[str, str]]
"""Each way to serve a stored answer, by the first part of its path: the settings of its service."""
Round = dict[str, tuple[float, float]]
COLUMNS = ("hit over", "answers/s", "rate to bare", "processor µs", "bare's to it", "rate to sqlite")


def main() -> None:
    """Print a line, and a table."""
    options = _options()
    if options.serve:
        serve(options.serve[0], json.loads(options.serve[1]))
        return
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stores = {}
        if "sqlite" in options.stores:
            stores["sqlite"] = variables(folder)
            os.environ |= stores["sqlite"]
            _print_in_process(options.model)
        if "couchbase" in options.stores:
            cluster = stack.enter_context(couchbase_cluster())
            stores["couchbase"] = {
                **variables(folder),
                "ABSTRACTS_STORE_URL": cluster.url,
                "ABSTRACTS_STORE_USERNAME": cluster.username,
                "ABSTRACTS_STORE_PASSWORD": cluster.password,
                "ABSTRACTS_STORE_TIMEOUT": "2s",
            }
        _print_over_network(options, stores)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rate of stored answers against a bare Flask route.")
    parser.add_argument("--seconds", type=float, default=2, help="length of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--model", default="arxiv-mini")
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "couchbase"), default=("sqlite", "couchbase"))
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "SIDES"), help=argparse.SUPPRESS)
    return parser.parse_args()


def bare_app() -> Flask:
    """The least that a Flask route can do."""
    app = Flask("bare", static_folder=None)

    @app.post("/bare")
    def bare() -> dict[str, bool]:
        return {"ok": True}

    return app


def service_app() -> Application:
    """The service of the environment's settings, in this process; its access log goes nowhere."""
    services = Services(load_settings())
    services.access_log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    return create_app(services=services)


def new_key(service: Application) -> str:
    """An API key that may predict."""
    return service.services.keys.create("bench", ["predict"])[1]


def serve(port: str, sides: Sides) -> None:
    """Runs the server of all sides until it is ended."""
    from granian import Granian
    from granian.constants import Interfaces

    threads = load_settings({}).server_threads
    server = Granian("bench", port=int(port), interface=Interfaces.WSGI, blocking_threads=threads, log_enabled=False)
    server.serve(target_loader=lambda _: _all_apps(sides))


def _all_apps(sides: Sides) -> WSGI:
    """One WSGI callable; the first part of the path says whose the rest is."""
    apps: dict[str, WSGI] = {BARE: bare_app()}
    for name, settings in sides.items():
        service = create_app(load_settings(settings))
        apps[name] = service

    def dispatch(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == CPU:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(time.process_time()).encode()]
        _, name, rest = path.split("/", 2)
        environ["PATH_INFO"] = f"/{rest}"
        return apps[name](environ, start_response)

    return dispatch


def _print_in_process(model: str) -> None:
    service, bare = service_app(), bare_app()
    key, path = new_key(service), f"/api/models/{model}/predict"
    call(service, path, key)
    samples: dict[str, list[float]] = {"bare": [], "hit": []}
    for _ in range(7):
        samples["bare"].append(seconds_per_call(bare, "/bare", key))
        samples["hit"].append(seconds_per_call(service, path, key))
    took = {name: statistics.median(found) * 1e6 for name, found in samples.items()}
    print(f"in process: bare {took['bare']:.0f} µs, hit {took['hit']:.0f} µs, ratio {took['bare'] / took['hit']:.2f}")
    service.services.close()


def _print_over_network(options: argparse.Namespace, stores: Sides) -> None:
    sides, requests = {}, {BARE: request("/bare/bare", "none")}
    for store, settings in stores.items():
        service = create_app(load_settings(settings))
        key = new_key(service)
        service.services.close()
        for name, more in ((store, {}), (f"{store}-without-l1", {"ABSTRACTS_L1_SIZE": "0"})):
            sides[name] = settings | more
            requests[name] = request(f"/{name}/api/models/{options.model}/predict", key)
    port = free_port()
    command = [sys.executable, "-m", "bench.hit_path", "--serve", str(port), json.dumps(sides)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait(port, CPU)
            print_table(COLUMNS, _rows(_measure(options, port, requests)))
        finally:
            server.terminate()


def _measure(options: argparse.Namespace, port: int, requests: dict[str, bytes]) -> list[Round]:
    for asked in requests.values():
        load(port, asked, 0.5, options.connections)
    return [
        {name: load(port, asked, options.seconds, options.connections) for name, asked in requests.items()}
        for _ in range(options.rounds)
    ]


def _rows(rounds: list[Round]) -> list[list[str]]:
    """Of each side the median rate and processor time, and their ratios to the bare route; of Couchbase, to SQLite."""
    rows = []
    for name in rounds[0]:
        rates = [each[name][0] / each[BARE][0] for each in rounds]
        cpus = [each[BARE][1] / each[name][1] for each in rounds]
        other = name.replace("couchbase", "sqlite")
        compared = [each[name][0] / each[other][0] for each in rounds if other != name and other in each]
        rows.append(
            [
                name,
                f"{statistics.median(each[name][0] for each in rounds):.0f}",
                f"{statistics.median(rates):.2f} ({min(rates):.2f} to {max(rates):.2f})",
                f"{statistics.median(each[name][1] for each in rounds) * 1e6:.0f}",
                f"{statistics.median(cpus):.2f}",
                f"{statistics.median(compared):.2f}" if compared else "",
            ]
        )
    return rows


if __name__ == "__main__":
    main()
