"""A Couchbase cluster."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import Options
from storage.errors import BadOptions

if TYPE_CHECKING:
    from storage.backends.couchbase.backend import CouchbaseBackend


def opener(url: SplitResult, options: Options) -> "Callable[[], CouchbaseBackend]":
    """For couchbase:// and, with TLS, couchbases://; see storage.base.Opener."""
    faults = list(_faults(url, options))
    if faults:
        raise BadOptions(*faults)

    def make() -> "CouchbaseBackend":
        from storage.backends.couchbase.backend import CouchbaseBackend

        return CouchbaseBackend(CouchbaseUrl.parse(url), options)

    return make


def _faults(url: SplitResult, options: Options) -> Iterator[tuple[str, str]]:
    try:
        CouchbaseUrl.parse(url)
    except ValueError as exc:
        yield "url", str(exc)
    if find_spec("couchbase") is None:
        yield "url", "it needs the Couchbase SDK, which is not installed: pip install couchbase"
    for name in ("username", "password"):
        if not getattr(options, name):
            yield name, "it is not set, and Couchbase needs it"
    if options.ca is not None and url.scheme != "couchbases":
        yield "ca", "it is for an encrypted connection: give couchbases:// in the URL, or remove it"
    elif options.ca is not None and not options.ca.is_file():
        yield "ca", "there is no such file"
