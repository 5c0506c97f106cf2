"""Processes that tests start. None outlives the tests, not even tests that are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

# Reads process groups, `-` before those that have ended, until whoever writes them is gone, and ends the rest.
_WATCH: Final = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    number = int(line)
    (groups.add if number > 0 else groups.discard)(abs(number))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    """A process in a group of its own, with `options` of Popen. Whoever starts it calls `end`."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    _tell(process.pid)
    return process


def end(process: "subprocess.Popen[Any]", seconds: float = 60) -> None:
    """Kills a process with its group: children that outlive it would keep pipes and ports."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(seconds)
    _tell(-process.pid)


def _tell(number: int) -> None:
    watch = _watcher().stdin
    assert watch is not None
    watch.write(f"{number}\n")
    watch.flush()


@cache
def _watcher() -> "subprocess.Popen[str]":
    """A process that notices when this one is gone, in whatever way: then its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _WATCH], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
