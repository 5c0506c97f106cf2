"""Opens a backend by URL. A further kind of store is a module with an opener, and a line here."""

from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from storage.backends import couchbase, memory, sqlite
from storage.base import Backend, Opener, Options
from storage.errors import BadOptions

_OPENERS: Final[dict[str, Opener]] = {
    "memory": memory.opener,
    "sqlite": sqlite.opener,
    "couchbase": couchbase.opener,
    "couchbases": couchbase.opener,
}


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

    `timeout` bounds one operation, `connect_timeout` the first of a process. BadOptions as check_store; an absent or
    failing store is reported by the first call, not here.
    """
    options = Options(username, password, timeout, connect_timeout, ca)
    return _opener(url)(urlsplit(url), options)()


def check_store(url: str, username: str = "", password: str = "", ca: Path | None = None) -> None:
    """BadOptions, saying what to give instead, unless open_backend would take these. Imports no driver."""
    _opener(url)(urlsplit(url), Options(username, password, timedelta(0), timedelta(0), ca))


def _opener(url: str) -> Opener:
    scheme = urlsplit(url).scheme
    if scheme not in _OPENERS:
        known = ", ".join(f"{name}://" for name in _OPENERS)
        raise BadOptions(("url", f"it starts with {scheme or 'no scheme'!r}: give one of {known}"))
    return _OPENERS[scheme]
