"""Opens a backend by URL. Drivers are imported only when their scheme is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.base import Backend


@dataclass(frozen=True, slots=True)
class Options:
    """How to connect; every backend takes what applies to it."""

    username: str
    password: str
    timeout: timedelta
    connect_timeout: timedelta
    ca: Path | None


def open_backend(
    url: str,
    *,
    username: str = "",
    password: str = "",
    timeout: timedelta = timedelta(milliseconds=250),
    connect_timeout: timedelta = timedelta(seconds=2),
    ca: Path | None = None,
) -> Backend:
    """The backend that `url` names, not yet connected; the caller closes it.

    memory://                              this process only, gone with it
    sqlite:///relative.db, sqlite:////absolute.db
    couchbase://host1,host2/BUCKET/SCOPE   the scope defaults to `abstracts`; couchbases:// for TLS, `ca` for an own CA

    `timeout` bounds one call, `connect_timeout` the first of a process; SQLite waits `connect_timeout` for a lock,
    since writers of one file take turns. Raises ValueError for a URL that is none of these; an absent or failing store
    is reported by the first call, not here.
    """
    scheme = urlsplit(url).scheme
    opener = _OPENERS.get(scheme)
    if opener is None:
        known = ", ".join(f"{name}://" for name in _OPENERS)
        raise ValueError(f"the store URL must start with one of {known}: {scheme or 'no scheme'!r}")
    return opener(url, Options(username, password, timeout, connect_timeout, ca))


def _memory(url: str, options: Options) -> Backend:  # noqa: ARG001
    from storage.backends.memory import MemoryBackend

    return MemoryBackend()


def _sqlite(url: str, options: Options) -> Backend:
    from storage.backends.sqlite.backend import SQLiteBackend

    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if parts.netloc or parts.query or parts.fragment or not path:
        raise ValueError("a SQLite store URL is sqlite:///relative/path or sqlite:////absolute/path")
    return SQLiteBackend(Path(path), busy_timeout=options.connect_timeout)


def _couchbase(url: str, options: Options) -> Backend:
    from storage.backends.couchbase.backend import CouchbaseBackend

    return CouchbaseBackend.from_url(
        url,
        username=options.username,
        password=options.password,
        timeout=options.timeout,
        connect_timeout=options.connect_timeout,
        ca=options.ca,
    )


_OPENERS: dict[str, Callable[[str, Options], Backend]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "couchbase": _couchbase,
    "couchbases": _couchbase,
}
