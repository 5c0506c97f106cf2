"""Looking after a SQLite file: is it whole, a copy of it, and what can still be read of a damaged one."""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from storage.backends.sqlite import schema
from storage.errors import Corrupt, StorageError

SALVAGE_PAGE: Final = 500
LAST_ROW: Final = 2**63 - 1
INSTRUCTIONS: Final = 10_000
"""Of SQLite's machine, between two looks at the clock."""

_ROWS: Final = """SELECT rowid, namespace, key, content, version, expires_at FROM entries
    WHERE rowid > ? ORDER BY rowid LIMIT ?"""
_LISTED: Final = """SELECT count(*) FROM entries INDEXED BY sqlite_autoindex_entries_1
    WHERE namespace = ? AND rowid BETWEEN ? AND ?"""

_PASSING: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
"""Errors that are no damage."""

Row = tuple[Any, ...]


def look_through(path: Path, timeout: float, seconds: float | None) -> None:
    """Read the file's pages, for at most so many seconds, with a connection that has kept none of them.

    Raises Corrupt if they are not whole, Unavailable if they cannot be read.
    """
    try:
        with closing(schema.open_only(path, timeout)) as connection:
            if seconds is not None:
                end = time.monotonic() + seconds
                connection.set_progress_handler(lambda: time.monotonic() > end, INSTRUCTIONS)
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return
        raise schema.translate(exc, path) from exc
    if found != "ok":
        raise Corrupt(f"{path} is damaged ({found.splitlines()[-1]}); {schema.REMEDY}")


def backup(path: Path, target: Path, timeout: float) -> None:
    """See Backend.backup. One snapshot, for which no writer waits; the copy needs no log beside it."""
    if target.exists():
        raise StorageError(f"{target} exists already; choose another name")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(schema.open_only(path, timeout)) as source, closing(schema.open_only(partial, timeout)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        look_through(partial, timeout, None)
        os.link(partial, target)
    except OSError as exc:
        raise StorageError(f"{target}: {exc.strerror}") from exc
    except sqlite3.Error as exc:
        raise schema.translate(exc, path) from exc
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{partial}{suffix}").unlink(missing_ok=True)


def salvage(
    path: Path, timeout: float, namespace: str, now: float, lost: Callable[[str], None]
) -> Iterator[tuple[str, bytes, int]]:
    """Key, content and version of every live value that can be read, row by row around what cannot.

    `lost` is told how many entries a damaged part had: exactly where the index of keys can still be read.
    """
    with closing(schema.open_only(path, timeout)) as connection:
        connection.text_factory = bytes  # what is damaged may be no text
        for row in _readable(connection, path, namespace, lost):
            _, space, name, content, version, expires_at = row
            if space != namespace.encode() or not isinstance(content, bytes):
                continue
            if isinstance(expires_at, float) and expires_at <= now:
                continue
            try:
                yield name.decode(), content, version
            except (UnicodeDecodeError, AttributeError):
                lost(f"1 entry of {namespace}, whose key cannot be read")


def _readable(connection: sqlite3.Connection, path: Path, namespace: str, lost: Callable[[str], None]) -> Iterator[Row]:
    position = -1
    while position < LAST_ROW:
        page = 0
        try:
            for row in connection.execute(_ROWS, (position, SALVAGE_PAGE)):
                yield row
                position, page = row[0], page + 1
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _PASSING:
                raise schema.translate(exc, path) from exc
            begin, position = position, _end_of_damage(connection, position)
            _report(connection, namespace, begin + 1, position, lost)
            continue
        if page < SALVAGE_PAGE:
            return


def _end_of_damage(connection: sqlite3.Connection, position: int) -> int:
    """The row number after which reading works again; LAST_ROW if nowhere."""
    low, step = position, 1
    while not _works(connection, min(low + step, LAST_ROW)):
        if low + step >= LAST_ROW:
            return LAST_ROW
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _works(connection, middle) else (middle, high)
    return high


def _works(connection: sqlite3.Connection, position: int) -> bool:
    try:
        connection.execute(_ROWS, (position, 1)).fetchall()
    except sqlite3.Error:
        return False
    return True


def _report(connection: sqlite3.Connection, namespace: str, first: int, last: int, lost: Callable[[str], None]) -> None:
    try:
        number = connection.execute(_LISTED, (namespace, first, last)).fetchone()[0]
    except sqlite3.Error:
        rest = "and all after it" if last == LAST_ROW else f"to {last}"
        lost(f"rows {first} {rest}, of whatever kind")
        return
    if number:
        lost(f"{number} entries of {namespace} in a damaged part of the file")
