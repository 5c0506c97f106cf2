"""What has locks or connections of its own begins anew in a forked child."""

import os
import weakref
from collections.abc import Callable


def begin_anew_in_child(method: Callable[[], None]) -> None:
    """Call this method in every process that is forked from this one, for as long as its object lives."""
    known = weakref.WeakMethod(method)

    def begin() -> None:
        present = known()
        if present is not None:
            present()

    os.register_at_fork(after_in_child=begin)
