"""Jobs that were left behind go on under servers that are not ours, which say nothing of which process will serve."""

import os
import threading
from collections.abc import Callable
from typing import Final

PAUSE: Final = 3.0
"""Seconds after which a process that has forked none is taken for one that serves."""


def wake_in_servers(wake: Callable[[], None], pause: float = PAUSE) -> None:
    """Calls `wake` in this process after `pause` seconds, unless it has forked others by then: then in each of those.

    So it does not run in gunicorn's arbiter (`--preload`) or uWSGI's master, which never answer a request. Returns at
    once.
    """
    has_forked = threading.Event()

    def begin() -> None:
        has_forked.clear()
        threading.Thread(target=watch, name="resume", daemon=True).start()

    def watch() -> None:
        if not has_forked.wait(pause):
            wake()

    os.register_at_fork(after_in_parent=has_forked.set, after_in_child=begin)
    begin()
