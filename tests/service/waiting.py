"""Waiting for a condition, with a deadline."""

import threading
import time
from collections.abc import Callable

POLL_SECONDS = 0.01


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Returns when the condition holds; AssertionError if it does not within `seconds`."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        pause.wait(POLL_SECONDS)
