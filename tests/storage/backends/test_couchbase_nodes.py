"""A part of a cluster out: one of two nodes, or writes alone; and no network at all."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.errors import Incomplete, Unavailable
from storage.records.predictions import Prediction, Predictions
from tests.contracts.backend_wait import wait_until
from tests.couchbase_server.launch import Peer
from tests.couchbase_server.wire import Opcode
from tests.storage.backends.couchbase_peer import answers, backend_on

ROOT = Path(__file__).parents[3]
VALUE = b'{"a": 1}'
TIMEOUT = timedelta(milliseconds=250)
IDS = [f"{number:064x}" for number in range(100)]
ROUNDS = 2
NODE = 1


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer("--nodes", "2") as running:
        yield running


@pytest.fixture
def backend(peer: Peer) -> Iterator[CouchbaseBackend]:
    made = backend_on(peer, timeout=TIMEOUT, pause=0.3)
    made.init()
    yield made
    peer.heal()
    made.close()


@pytest.fixture
def predictions(backend: CouchbaseBackend) -> Predictions:
    """Some that are stored on either node; the short time to live asks for the document of purges all the time."""
    made = Predictions(backend, generation_ttl=timedelta(milliseconds=1))
    for id in IDS:
        made.put(Prediction(id, "m", "sha256:0", (0.5, 0.25), datetime.now(UTC), None, None))
    return made


def take_away(peer: Peer, how: str) -> None:
    if how == "gone":
        peer.fault("refuse", node=NODE)
        peer.fault("disconnect", node=NODE)
    elif how == "silent":
        peer.fault("drop", node=NODE)
    else:
        peer.fault("delay", node=NODE, seconds=2 * TIMEOUT.total_seconds())


def ask(predictions: Predictions) -> tuple[int, list[float]]:
    """How many were found, and how long each took, asked by several threads again and again."""

    def one(id: str) -> tuple[bool, float]:
        begin = time.monotonic()
        try:
            found = predictions.get(id, "m", 2) is not None
        except Unavailable:
            found = False
        return found, time.monotonic() - begin

    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(one, IDS * ROUNDS))
    return sum(found for found, _ in answered), [took for _, took in answered]


@pytest.mark.parametrize("how", ["gone", "silent", "slow"])
def test_with_one_of_two_nodes_out_the_other_ones_half_is_served(
    predictions: Predictions, backend: CouchbaseBackend, peer: Peer, how: str
) -> None:
    take_away(peer, how)
    found, took = ask(predictions)
    assert found >= 0.45 * len(IDS) * ROUNDS
    # A partition of the node that is out is waited for once, and then a probe now and then; nothing waits for two.
    waited = [seconds for seconds in took if seconds > 0.8 * TIMEOUT.total_seconds()]
    assert len(waited) <= len(IDS)
    assert sorted(took)[int(0.99 * len(took))] < 3 * TIMEOUT.total_seconds()
    assert [name for name in backend.status().out if not name.startswith("reads of 127.0.0.1:")] == []
    with pytest.raises(Unavailable):
        backend.ping()
    peer.heal()
    wait_until(lambda: answers(backend.ping))
    wait_until(lambda: ask(predictions)[0] == len(IDS) * ROUNDS)
    assert backend.status().out == ()


def test_many_at_once_are_found_where_they_can_be(
    predictions: Predictions, backend: CouchbaseBackend, peer: Peer
) -> None:
    take_away(peer, "silent")
    for _ in range(3):
        found = predictions.get_many(IDS, "m", 2)
        assert 0.4 * len(IDS) < len(found) < 0.6 * len(IDS)
    with pytest.raises(Incomplete) as caught:
        backend.get_many("results", [f"m/0/{id}" for id in IDS])
    assert len(caught.value.found) == len(found)


def test_writes_that_fail_leave_reads_alone(predictions: Predictions, backend: CouchbaseBackend, peer: Peer) -> None:
    for opcode in (Opcode.SET, Opcode.REPLACE, Opcode.ADD, Opcode.APPEND, Opcode.INCREMENT):
        peer.fault("status", opcode=opcode, status=0x86)
    with pytest.raises(Unavailable, match="temporary failure"):
        backend.ping()
    for number in range(16):
        assert not answers(lambda number=number: backend.put("limits", f"k{number}", VALUE))  # type: ignore[misc]
    assert ask(predictions)[0] == len(IDS) * ROUNDS
    status = backend.status()
    assert status.errors["reads"] == 0
    assert status.errors["writes"] >= 3
    assert status.out
    assert all(name.startswith("writes") for name in status.out)


def test_all_nodes_out_is_one_outage(predictions: Predictions, backend: CouchbaseBackend, peer: Peer) -> None:
    peer.fault("drop")
    found, took = ask(predictions)
    assert found == 0
    assert "reads" in backend.status().out
    assert sum(seconds > 0.8 * TIMEOUT.total_seconds() for seconds in took) < len(took) / 4


NO_NETWORK = """
import sys
from datetime import timedelta
from storage.connect import open_backend
from storage.errors import Unavailable
backend = open_backend(sys.argv[1], username="u", password="p", connect_timeout=timedelta(seconds=0.5))
calls = (lambda: backend.get("keys", "k"), lambda: backend.replace("jobs", "k", b"{}", 1), backend.ping)
for call in calls * 2:
    try:
        call()
    except Unavailable:
        pass
print(*backend.status().out, sep=", ")
"""


@pytest.mark.parametrize("url", ["couchbase://db1.example/b", "couchbases://192.0.2.1/b"])
def test_without_a_network_everything_is_unavailable_and_the_breaker_opens(url: str) -> None:
    """In a network of its own with nothing but a loopback interface; only root can make one."""
    namespace = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if os.getuid() or subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("networks cannot be made here")
    command = [*namespace, sys.executable, "-c", NO_NETWORK, url]
    done = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("reads and writes\n", 0), done.stderr
