"""A process that a test has started ends with the tests, even if they are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.processes import end, start
from tests.service.waiting import until
from tests.sources import ROOT

STARTER = """
import signal
from tests.processes import start
with start(["sh", "-c", "sleep 300 & echo $!; wait"], stdout=-1, text=True) as process:
    print(process.stdout.readline(), flush=True)
    signal.pause()
"""


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_killed_run_leaves_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        child = int(tests.stdout.readline())
        assert runs(child)
        os.kill(tests.pid, signal.SIGKILL)
    until(lambda: not runs(child))


def test_end_takes_the_children_along() -> None:
    process = start(["sh", "-c", "sleep 300 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        end(process)
    until(lambda: not runs(child))
    assert process.returncode == -signal.SIGKILL
