"""Every scrape tells what all processes of a server count, whichever answers and whatever became of the others."""

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import values

from service.errors import NotServing
from service.telemetry.metrics import Metrics
from service.telemetry.shared import FOLDER, leave_seat, shared_folder, take_seat
from tests.service.front.test_server import Server, alive, workers
from tests.service.waiting import until

SCRAPES = 20
"""So many that both of two workers answer some."""
PREDICT = 'abstracts_requests_total{method="POST",route="/api/predict/",status="200"}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.variables["ABSTRACTS_WORKERS"] = "2"
    with server.running():
        until(lambda: len(workers(server)) == 2 and scrape(server)["abstracts_workers"] == 2)
        yield server


def scrape(server: Server) -> dict[str, float]:
    """The samples of one scrape, on a connection of its own."""
    lines = server.read("/metrics").decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def counts(server: Server) -> dict[str, float]:
    """What many scrapes say of the predictions; they must agree."""
    found = [{name: value for name, value in scrape(server).items() if "predict" in name} for _ in range(SCRAPES)]
    assert all(each == found[0] for each in found)
    return found[0]


def predict(server: Server, number: int) -> None:
    for _ in range(number):
        assert server.predict()[0] == 200


def test_all_workers_tell_the_same(server: Server) -> None:
    predict(server, 30)
    found = counts(server)
    assert found[PREDICT] == 30
    assert found['abstracts_request_seconds_count{route="/api/predict/"}'] == 30
    assert sum(value for name, value in scrape(server).items() if name.startswith("abstracts_answers_total")) == 30


def test_counts_outlive_a_worker_that_is_killed_and_a_reload(server: Server) -> None:
    assert server.process is not None
    predict(server, 10)
    for number in range(1, 4):
        before = counts(server)
        dead = workers(server)[0]
        os.kill(dead, signal.SIGKILL)
        until(lambda: dead not in workers(server) and len(workers(server)) == 2)  # noqa: B023
        until(lambda: scrape(server)["abstracts_workers"] == 2)
        assert counts(server) == before
        predict(server, 10)
        assert counts(server)[PREDICT] == 10 + 10 * number
    old = set(workers(server))
    os.kill(server.process.pid, signal.SIGHUP)
    lowest = counts(server)
    until(lambda: len(workers(server)) == 2 and not old & set(workers(server)))
    until(lambda: scrape(server)["abstracts_workers"] == 2)
    assert counts(server) == lowest
    predict(server, 10)
    assert counts(server)[PREDICT] == 50


def test_files_are_as_many_as_processes_and_gone_in_the_end(server: Server) -> None:
    assert server.process is not None
    folder = folder_of(workers(server)[0])
    for _ in range(3):
        dead = workers(server)[0]
        os.kill(dead, signal.SIGKILL)
        until(lambda: dead not in workers(server) and len(workers(server)) == 2)  # noqa: B023
        until(lambda: scrape(server)["abstracts_workers"] == 2)
    assert {path.stem.rpartition("_")[2] for path in folder.glob("*.db")} == {"0", "1"}
    assert folder.stat().st_mode & 0o777 == 0o700
    server.process.terminate()
    server.process.wait(60)
    assert not folder.exists()


def test_what_a_killed_server_left_goes_at_the_next_start_and_not_before(server: Server) -> None:
    assert server.process is not None
    left = workers(server)
    folder = folder_of(left[0])
    os.kill(left[0], signal.SIGSTOP)  # before it notices that the other has gone
    try:
        server.process.kill()
        server.process.wait(60)
        with shared_folder():
            assert folder.exists()
    finally:
        os.kill(left[0], signal.SIGCONT)

    def gone() -> bool:
        with shared_folder():
            return not folder.exists()

    until(gone)
    until(lambda: not any(alive(pid) for pid in left))


def folder_of(pid: int) -> Path:
    """Where this process counts."""
    mapped = re.search(r"(/\S+)/counter_\d+\.db", Path(f"/proc/{pid}/maps").read_text())
    assert mapped
    return Path(mapped[1])


def test_without_a_place_for_the_folder_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(NotServing, match="set TMPDIR"), shared_folder():
        pass


@pytest.fixture
def seats(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a server whose processes the test plays itself."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    with shared_folder():
        yield Path(os.environ[FOLDER])


def test_the_next_in_a_seat_goes_on_with_its_counts(seats: Path) -> None:
    take_seat(0)
    Metrics().ended("busy")
    take_seat(1)
    other = Metrics()
    other.ended("busy")
    assert b"abstracts_workers 2.0" in other.exposition()
    leave_seat(0)
    text = other.exposition()
    assert b"abstracts_workers 1.0" in text
    assert b'abstracts_server_ended_total{reason="busy"} 2.0' in text
    take_seat(0)
    Metrics().ended("busy")
    text = other.exposition()
    assert b"abstracts_workers 2.0" in text
    assert b'abstracts_server_ended_total{reason="busy"} 3.0' in text


def test_files_that_are_only_just_made_or_gone_are_passed_over(seats: Path) -> None:
    take_seat(0)
    metrics = Metrics()
    (seats / "counter_1.db").touch()
    (seats / "gauge_livesum_2.db").symlink_to("nowhere")
    assert b"abstracts_workers 1.0" in metrics.exposition()
