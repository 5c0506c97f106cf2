"""Waiting with a deadline, for what a test cannot be told of."""

import os
import signal
import time
from collections.abc import Callable

PAUSE = 0.005


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Return once the condition holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain")
        time.sleep(PAUSE)


def exit_status(child: int, seconds: float = 20) -> int:
    """The exit status of a forked child; one that hangs is killed and fails the test."""
    status: list[int] = []

    def ended() -> bool:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            status.append(os.waitstatus_to_exitcode(code))
        return bool(pid)

    try:
        wait_until(ended, seconds)
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return status[0]
