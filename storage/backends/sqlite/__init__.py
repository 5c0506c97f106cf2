"""A SQLite file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote

from storage.base import Options
from storage.errors import BadOptions

if TYPE_CHECKING:
    from storage.backends.sqlite.backend import SQLiteBackend


def opener(url: SplitResult, options: Options) -> "Callable[[], SQLiteBackend]":
    """For sqlite:///relative/path and sqlite:////absolute/path; see storage.base.Opener."""
    path = unquote(url.path).removeprefix("/")
    if url.netloc or url.query or url.fragment or not path:
        raise BadOptions(("url", "it names no file: give sqlite:///relative/path or sqlite:////absolute/path"))

    def make() -> "SQLiteBackend":
        from storage.backends.sqlite.backend import SQLiteBackend

        return SQLiteBackend(Path(path), timeout=options.timeout)

    return make
