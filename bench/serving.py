"""The real server: seconds from exec to the first stored answer, memory when serving, a miss against the bare engine.

    python -m bench.serving [--starts 5] [--misses 100] [--model NAME]

The server is `flask --app wsgi serve` over SQLite with its default settings. Starts: from exec of that command to a
stored answer received, the same prediction each time, with a new process each time. Misses: texts that it has not
seen, of several lengths, one after the other over HTTP; each text is run in turn by an engine in this process, on the
same threads, tokenised beforehand; stated is the median of the ratios. Memory is that of all the server's processes,
pages that they share counted once, before the first model run and after the last.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.load import BODY, free_port, variables
from config import load_settings
from model.classifier import litert_engine
from model.registry import Registry
from model.text import normalise
from model.tokens import load_tokenizer
from service.bootstrap import Services

SENTENCES = (
    "We report a measurement of the top quark mass in proton-proton collisions at a centre-of-mass energy of 13 TeV.",
    "The proof rests on a compactness argument and gives an explicit bound that depends on the dimension alone.",
    "Simulations of the disc with a stellar companion show that spiral arms open and decay within a few orbits.",
    "A convolutional network trained on synthetic images transfers to photographs with a small loss of accuracy.",
    "The conductance is quantised at low temperature, and the plateaus vanish where disorder localises edge states.",
)
DEADLINE = 60.0


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description="Start, memory and misses of the real server.")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--misses", type=int, default=100)
    parser.add_argument("--model", default="arxiv-mini")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, options.model)
        with server.running():
            server.ask(BODY)
        starts = []
        for _ in range(options.starts):
            with server.running() as seconds:
                starts.append(seconds)
        took = f"{statistics.median(starts):.2f} s (from {min(starts):.2f} to {max(starts):.2f})"
        print(f"exec to the first stored answer: {took}")
        with server.running():
            before = server.memory()
            misses = measure(server, options.model, options.misses)
            print(
                f"memory: {before:.0f} MB before the first model run, {server.memory():.0f} MB after {options.misses}"
            )
    report(misses)


class Server:
    """One installation; each start is a process of its own."""

    def __init__(self, folder: str, model: str) -> None:
        self._port = free_port()
        self._path = f"/api/models/{model}/predict"
        self._variables = {**variables(folder), "ABSTRACTS_PORT": str(self._port)}
        services = Services(load_settings(self._variables))
        self._key = services.keys.create("bench", ["predict"])[1]
        services.close()
        self._process = 0

    @contextmanager
    def running(self) -> Iterator[float]:
        """The seconds that it took to answer BODY, from exec on."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ABSTRACTS_")}
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]
        began = time.perf_counter()
        with subprocess.Popen(
            command,
            env=environ | self._variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            self._process = process.pid
            try:
                self._wait(process)
                yield time.perf_counter() - began
            finally:
                os.killpg(process.pid, signal.SIGTERM)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                self.ask(BODY)
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the server did not start") from None
                time.sleep(0.002)
            else:
                return

    def ask(self, body: bytes) -> None:
        """One request on a connection of its own; ends the program if it is not answered with 200."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)) as connection:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.client.OK:
                raise SystemExit(f"the server answered {answer[:300]!r}")

    def memory(self) -> float:
        """MB of the server's processes, shared pages counted once."""
        return sum(_proportional(pid) for pid in _processes(self._process)) / 1e6


def _processes(group: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                yield int(path.name)
        except ProcessLookupError:
            continue


def _proportional(pid: int) -> int:
    """Bytes: a page that n processes share counts as 1/n of one."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def texts(number: int) -> Iterator[str]:
    """Abstracts of one to ten sentences, no two alike."""
    for i in range(number):
        chosen = [SENTENCES[(i + j) % len(SENTENCES)] for j in range(1 + i % 10)]
        yield " ".join([f"This is number {i}.", *chosen])


def measure(server: Server, model: str, number: int) -> list[tuple[float, float]]:
    """Of each miss the seconds over HTTP, and those of the engine alone."""
    artifact = Registry(None, model).get(model).require()
    engine = litert_engine(artifact, len(os.sched_getaffinity(0)))
    tokenizer = load_tokenizer(artifact.path, artifact.manifest.max_tokens)
    found = []
    try:
        engine.scores(tokenizer.encode(SENTENCES[0]).ids)
        server.ask(json.dumps({"abstract": SENTENCES[1]}).encode())
        for text in texts(number):
            body, ids = json.dumps({"abstract": text}).encode(), tokenizer.encode(normalise(text)).ids
            began = time.perf_counter()
            server.ask(body)
            asked = time.perf_counter()
            engine.scores(ids)
            found.append((asked - began, time.perf_counter() - asked))
    finally:
        engine.close()
    return found


def report(found: list[tuple[float, float]]) -> None:
    """Print the medians, and the median of the ratios."""
    miss, alone = (statistics.median(each[i] for each in found) * 1000 for i in (0, 1))
    ratios = sorted(each[0] / each[1] for each in found)
    more = statistics.median(each[0] - each[1] for each in found) * 1000
    print(
        f"a miss over HTTP {miss:.1f} ms, the engine alone {alone:.1f} ms: "
        f"ratio {statistics.median(ratios):.2f}, {more:.1f} ms more"
    )


if __name__ == "__main__":
    main()
