"""Puts what has locks, threads or connections of its own to rest before a fork, and makes it anew in the child."""

import functools
import os
import threading
import weakref
from typing import Final, Protocol


class Forkable(Protocol):
    """Something that must not be in use while the process forks."""

    def before_fork(self) -> None:
        """Wait for calls in progress, hold up new ones, and close what is open."""

    def after_fork_in_parent(self) -> None:
        """Let calls through again."""

    def after_fork_in_child(self) -> None:
        """Start afresh, with locks that nobody holds."""


_watched: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_resting: Final[list[Forkable]] = []
_forking: Final = threading.Lock()


def watch(resource: Forkable) -> None:
    """Rest `resource` around each fork from now on, for as long as it lives."""
    _watched.add(resource)
    _register()


@functools.cache
def _register() -> None:
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def _before() -> None:
    _forking.acquire()
    _resting[:] = _watched
    for resource in _resting:
        resource.before_fork()


def _after_in_parent() -> None:
    while _resting:
        _resting.pop().after_fork_in_parent()
    _forking.release()


def _after_in_child() -> None:
    while _resting:
        _resting.pop().after_fork_in_child()
    _forking.release()
