"""What is in the SQLite file: its identity, its schema versions, and how a connection to it is opened."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from storage.errors import Corrupt, Unavailable

APPLICATION_ID: Final = 0x61627374
"""Written into the header (PRAGMA application_id), so that another program's database is recognised."""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE entries (
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            content ANY NOT NULL,
            version INTEGER NOT NULL,
            expires_at REAL,
            PRIMARY KEY (namespace, key)
        ) STRICT""",
        "CREATE INDEX entries_expiring ON entries (expires_at) WHERE expires_at IS NOT NULL",
    ),
)
"""Step n takes schema n (PRAGMA user_version) to n + 1. A value's content is a BLOB, a counter's an INTEGER."""

SCHEMA_VERSION: Final = len(MIGRATIONS)

# One statement, hence one snapshot: another process may be creating the schema at this moment.
_IDENTITY: Final = """SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
    FROM pragma_application_id, pragma_user_version"""

REMEDY: Final = "save what can be read with `store export`, and restore a copy or move it away"

RETRY_SECONDS: Final = 0.005


LOG_LIMIT: Final = 4 << 20
"""Bytes that the write-ahead log is cut down to when it begins anew, however far a long reader has let it grow."""


def connect(path: Path, busy_timeout: float, *, create: bool = True) -> sqlite3.Connection:
    """A connection in autocommit mode to a file with the present schema; migrated, and if so wanted created, as needed.

    Raises sqlite3.Error (translate() it), Unavailable when write-ahead logging is impossible, Corrupt when the file
    belongs to another program or to a later version of this one.
    """
    if create:
        _create_private(path)
    connection = open_only(path, busy_timeout)
    try:
        _require_known(connection, path)
        _use_wal(connection, path, busy_timeout)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_only(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """A connection to a file that is there, whatever it holds. Raises sqlite3.Error."""
    url = f"file:{quote(str(path))}?mode=rw"
    return sqlite3.connect(url, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False)


def translate(exc: sqlite3.Error, path: Path) -> Unavailable | Corrupt:
    """Our error for one of the driver's: Corrupt if the file's content is at fault, else Unavailable."""
    code = getattr(exc, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(f"{path} is damaged or not a SQLite file ({exc}); {REMEDY}")
    if primary in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT):
        return Corrupt(f"{path} has not the expected tables ({exc})")
    return Unavailable(f"{path}: {exc}")


def _create_private(path: Path) -> None:
    """Create the file readable by its owner only: it holds key hashes and, if so set, texts."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as exc:
        raise Unavailable(f"{path}: {exc.strerror}") from exc


def _use_wal(connection: sqlite3.Connection, path: Path, busy_timeout: float) -> None:
    """Switch to write-ahead logging. SQLite's busy handler does not cover the switch, so it is repeated here."""
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            break
    if mode != "wal":
        raise Unavailable(f"{path}: the file system does not support write-ahead logging (journal mode {mode})")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _require_known(connection, path) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[_require_known(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _require_known(connection: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, 0 for an empty file; Corrupt if it is not ours to use."""
    owner, version, tables = connection.execute(_IDENTITY).fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise Corrupt(f"{path} is a database of another program; choose another path")
    if version > SCHEMA_VERSION:
        raise Corrupt(f"{path} has schema {version}, written by a later version; this one knows up to {SCHEMA_VERSION}")
    return int(version)
