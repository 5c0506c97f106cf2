"""A Couchbase cluster."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import Options

if TYPE_CHECKING:
    from storage.backends.couchbase.backend import CouchbaseBackend


def opener(url: SplitResult, options: Options) -> "Callable[[], CouchbaseBackend]":
    """For couchbase:// and, with TLS, couchbases://; see storage.base.Opener."""
    parsed = CouchbaseUrl.parse(url)
    if not options.username or not options.password:
        raise ValueError("Couchbase needs a user name and a password")
    if options.ca is not None and url.scheme != "couchbases":
        raise ValueError("an authority is for an encrypted connection: give couchbases://, or no authority")

    def make() -> "CouchbaseBackend":
        from storage.backends.couchbase.backend import CouchbaseBackend

        return CouchbaseBackend(parsed, options)

    return make
