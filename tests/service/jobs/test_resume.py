"""Who looks after jobs under a server that says nothing: the processes that serve, not those that only fork them."""

import subprocess
import sys

import pytest

from tests.sources import ROOT

SCRIPT = """
import os, sys, time
from service.jobs.resume import wake_in_servers
def wake():
    os.write(1, f"{os.getpid() == first}\\n".encode())
    os._exit(0)
first = os.getpid()
wake_in_servers(wake, 0.5)
children = [os.fork() for _ in range(int(sys.argv[1]))] if int(sys.argv[1]) else []
if 0 in children or not children:
    time.sleep(60)
for child in children:
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize(("forked", "woken"), [(0, ["True"]), (1, ["False"])])
def test_it_is_the_one_that_serves(forked: int, woken: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(forked)], cwd=ROOT, capture_output=True, timeout=100)
    assert (done.returncode, done.stdout.decode().split()) == (0, woken)
