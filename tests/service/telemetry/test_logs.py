"""Log lines whose reader is slow, has stopped or is gone."""

import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from service.telemetry.logs import MOST_CHARACTERS, MOST_WAITING, AccessLog
from tests.service.waiting import until

LINE = "x" * 100


class Piped(NamedTuple):
    """A log, and where it can be read."""

    log: AccessLog
    reading: int

    def lines(self, number: int) -> list[str]:
        with os.fdopen(os.dup(self.reading)) as file:
            return [file.readline() for _ in range(number)]


@pytest.fixture
def piped() -> Iterator[Piped]:
    reading, writing = os.pipe()
    made = Piped(AccessLog(writing), reading)
    yield made
    os.close(reading)
    made.log.close()
    os.close(writing)


def test_lines_arrive_whole_and_in_order(piped: Piped) -> None:
    log = piped.log

    def write(name: str) -> None:
        for i in range(300):
            log.write(f"{name} {i}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    found = [line.split() for line in piped.lines(900)]
    for thread in threads:
        thread.join()
    assert [[number for name, number in found if name == each] for each in "abc"] == [[str(i) for i in range(300)]] * 3


def test_a_reader_that_stops_costs_lines_and_no_time(piped: Piped) -> None:
    log = piped.log
    number = MOST_WAITING + 5000
    for _ in range(number):
        log.write(LINE)  # the pipe takes some 650 of them
    assert 0 < log.lost <= 5000
    lost = log.lost
    assert piped.lines(number - lost) == [f"{LINE}\n"] * (number - lost)
    assert log.lost == lost


def test_a_line_has_an_end(piped: Piped) -> None:
    log = piped.log
    log.write("x" * (1 << 20))
    assert len(piped.lines(1)[0]) == MOST_CHARACTERS + 1


def test_what_is_written_last_is_there_after_close(piped: Piped) -> None:
    log = piped.log
    log.write("last")
    log.close()
    assert os.read(piped.reading, 100) == b"last\n"


def test_it_waits_a_moment_at_most_for_a_reader_that_has_stopped(piped: Piped) -> None:
    log = piped.log
    for _ in range(2000):
        log.write(LINE)
    closing = threading.Thread(target=log.close)
    closing.start()
    until(lambda: not closing.is_alive(), 30)
    assert log.lost
