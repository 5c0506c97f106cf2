"""The backend for any number of machines: one scope of a Couchbase bucket, a collection for each namespace.

Only single-document operations are used, so the data service of any edition is enough: no queries, no range scan. What
lists is an index of keys that the backend keeps itself (see index), for `results` alone.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from importlib.metadata import version as version_of
from typing import Any, Final, TypeVar

from couchbase.exceptions import (  # type: ignore[import-untyped]
    AmbiguousTimeoutException,
    CasMismatchException,
    CouchbaseException,
    DocumentExistsException,
    DocumentNotFoundException,
)
from couchbase.options import (  # type: ignore[import-untyped]
    DeltaValue,
    GetMultiOptions,
    IncrementOptions,
    InsertOptions,
    RemoveOptions,
    ReplaceOptions,
    SignedInt64,
    UpsertOptions,
)

from storage.backends.couchbase.cluster import PROBE, Connection
from storage.backends.couchbase.documents import (
    MAX_COUNT,
    RESERVED,
    Content,
    decode,
    decode_counter,
    document_key,
    encode_counter,
    encode_entry,
    expires_at,
    server_expiry,
)
from storage.backends.couchbase.errors import outdated, translate
from storage.backends.couchbase.index import SHARDS, SHARDS_AT_ONCE, KeyIndex, Segment, read_shards
from storage.backends.couchbase.link import Link
from storage.backends.couchbase.nodes import ALL, Collection, Nodes
from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import Backend, Entry, Options, Status, check_amount, check_key, check_namespace, check_ttl
from storage.breaker import PAUSE, Breaker
from storage.errors import Corrupt, Incomplete, StorageError, Unavailable

R = TypeVar("R")

logger = logging.getLogger(__name__)

BATCH: Final = 256
"""How many documents are asked for at once."""

PING: Final = f"{RESERVED}ping"
PING_EXPIRY: Final = timedelta(minutes=1)
"""Of the document that a ping writes, of which nobody reads anything."""

ATTEMPTS: Final = 8
"""How often a read and conditional write is tried before others are taken to be too busy with the document."""

NO_INITIAL: Final = SignedInt64(-1)
"""A negative initial value means to the SDK that the counter is not to be created."""


class CouchbaseBackend(Backend):
    """Entries and counters in the collections of the URL's scope. `now` gives unix seconds; `pause`: see Breaker.

    Connecting takes at most the connect timeout and is tried anew by the calls after a failure. A call makes one to
    three operations, each bounded by the timeout: reads and increments of `limits` one, a first write to a listed
    namespace three. A value may have 20 MiB, else ValueError.
    """

    shared = True
    near = False

    def __init__(
        self, url: CouchbaseUrl, options: Options, now: Callable[[], float] = time.time, pause: float = PAUSE
    ) -> None:
        self._now = now
        self._index = KeyIndex(now)
        self._nodes = Nodes(pause)
        self._connecting = Breaker("reads and writes", pause=pause)
        self._link = Link(
            lambda: Connection.open(url, options, self._nodes),
            options.connect_timeout.total_seconds(),
            self._connecting,
        )

    def init(self) -> None:
        """Make the scope and the collections unless they exist; Unavailable when the user may not."""
        self._run(lambda connection: connection.create())

    def get(self, namespace: str, key: str) -> Entry | None:
        check_key(namespace, key)

        def read(collection: Collection) -> Entry | None:
            try:
                found = collection.get(document_key(key))
            except DocumentNotFoundException:
                return None
            return self._entry(key, found.value, found.cas)

        return self._on(namespace, read)

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        for key in keys:
            check_key(namespace, key)
        return self._entries(self._fetch(namespace, keys))

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        name, document = document_key(key), encode_entry(value, expires_at(ttl, self._now()))
        expiry = _expiry(ttl)

        def write(collection: Collection) -> None:
            if namespace in SHARDS:
                try:
                    collection.replace(name, document, ReplaceOptions(**expiry))
                except DocumentNotFoundException:
                    self._index.add(collection, namespace, key)
                else:
                    return
            collection.upsert(name, document, UpsertOptions(**expiry))

        self._on(namespace, lambda collection: _twice(lambda: write(collection)))

    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        check_key(namespace, key)
        name, document = document_key(key), encode_entry(value, expires_at(ttl, self._now()))
        expiry = _expiry(ttl)

        def write(collection: Collection) -> bool:
            if self._present(collection, name):
                return False
            if namespace in SHARDS:
                self._index.add(collection, namespace, key)
            try:
                collection.insert(name, document, InsertOptions(**expiry))
            except DocumentExistsException:
                return False
            return True

        return self._on(namespace, write)

    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        document = encode_entry(value, expires_at(ttl, self._now()))
        options = ReplaceOptions(cas=version, **_expiry(ttl))
        self._on(namespace, lambda collection: collection.replace(document_key(key), document, options))

    def remove(self, namespace: str, key: str) -> bool:
        check_key(namespace, key)

        def write(collection: Collection) -> bool:
            try:
                collection.remove(document_key(key))
            except DocumentNotFoundException:
                return False
            return True

        return self._on(namespace, write)

    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        check_key(namespace, key)
        check_amount(amount)
        check_ttl(ttl)
        if amount > MAX_COUNT:
            raise ValueError(f"a counter holds at most {MAX_COUNT}")
        return self._on(namespace, lambda collection: self._increment(collection, namespace, key, amount, ttl))

    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        check_key(namespace, key)

        def read(collection: Collection) -> tuple[int, float | None]:
            try:
                content = decode(collection.get(document_key(key)).value)
            except DocumentNotFoundException:
                return 0, None
            if content.over(self._now()):
                return 0, None
            if content.value is not None:
                raise Corrupt(f"{key} is a value, not a counter")
            return content.count, content.expires_at

        return self._on(namespace, read)

    def ping(self) -> None:
        self._run(lambda connection: connection.probe("results"))
        self._on("limits", lambda collection: collection.upsert(PING, b"{}", UpsertOptions(expiry=PING_EXPIRY)))
        self._on("results", self._probe_what_is_out)

    def _probe_what_is_out(self, collection: Collection) -> None:
        """Ask each node that was given up whether it is back; Unavailable if one is not."""
        for (kind, node), breaker in self._nodes.out().items():
            name = PROBE if node == ALL else self._nodes.a_name_on(node)
            if name is not None:
                with contextlib.suppress(DocumentNotFoundException):
                    collection.get(name) if kind == "reads" else collection.remove(name)
            elif breaker.open:
                raise Unavailable(f"{breaker.name} of the store are not available")

    def status(self) -> Status:
        nodes = self._nodes
        breakers = [*([self._connecting] if self._connecting.open else []), *nodes.out().values()]
        errors = self._connecting.errors
        return Status(
            {"reads": nodes.errors("reads") + errors, "writes": nodes.errors("writes")},
            tuple(breaker.name for breaker in breakers),
        )

    def versions(self) -> dict[str, str]:
        return {"Couchbase SDK": version_of("couchbase")}

    def close(self) -> None:
        self._link.close()

    def scan(
        self, namespace: str, prefix: str = "", lost: Callable[[str], None] | None = None
    ) -> Iterator[tuple[str, Entry]]:
        """See Backend; a document that cannot be read is left out and logged where nobody is told of it."""
        for key, content, version in self._live(namespace, prefix, lost or _log_lost):
            if content.value is not None:
                yield key, Entry(content.value, version)

    def _live(self, namespace: str, prefix: str, lost: Callable[[str], None]) -> Iterator[tuple[str, Content, int]]:
        """Key, content and version of what the namespace holds, shard by shard; tidies the shards on the way."""
        check_namespace(namespace)
        if namespace not in SHARDS:
            raise StorageError(f"Couchbase cannot list what is in {namespace}")
        for start in range(0, SHARDS[namespace], SHARDS_AT_ONCE):
            shards = range(start, min(start + SHARDS_AT_ONCE, SHARDS[namespace]))
            for segments in self._on(namespace, partial(read_shards, shards=shards)):
                yield from self._live_of(namespace, prefix, segments, lost)

    def _live_of(
        self, namespace: str, prefix: str, segments: list[Segment], lost: Callable[[str], None]
    ) -> Iterator[tuple[str, Content, int]]:
        keys = {key: None for segment in segments for key in segment.keys if key.startswith(prefix)}
        present: set[str] = set()
        for batch in _batches(list(keys)):
            found = self._fetch(namespace, batch)
            present.update(found)
            for key, (document, version) in found.items():
                content = _readable(namespace, key, document, lost)
                if content is not None and not content.over(self._now()):
                    yield key, content, version
        if segments and not prefix:
            self._on(namespace, partial(self._index.compact, segments=segments, present=present))

    def _fetch(self, namespace: str, keys: Sequence[str]) -> dict[str, tuple[bytes, int]]:
        """Documents and versions of the keys that are present, expired or not; Incomplete holds entries."""
        names = {document_key(key): key for key in keys}
        found: dict[str, tuple[bytes, int]] = {}
        missing: Unavailable | None = None
        for batch in _batches(list(names)):
            results, error = self._on(namespace, partial(_get_multi, names=batch))
            found.update((names[name], (result.value, result.cas)) for name, result in results.items())
            missing = missing or error
        if missing is not None:
            raise Incomplete(str(missing), self._entries(found)) from missing
        return found

    def _entries(self, found: dict[str, tuple[bytes, int]]) -> dict[str, Entry]:
        entries = {key: self._entry(key, content, version) for key, (content, version) in found.items()}
        return {key: entry for key, entry in entries.items() if entry is not None}

    def _increment(self, collection: Collection, namespace: str, key: str, amount: int, ttl: timedelta | None) -> int:
        """The server may still have a counter whose time has passed; that one is removed, and a new one begun."""
        name = document_key(key)
        initial = SignedInt64(encode_counter(amount, expires_at(ttl, self._now())))
        options: dict[str, Any] = {"delta": DeltaValue(amount), **_expiry(ttl)}
        for _ in range(ATTEMPTS):
            result = self._counted(collection, namespace, key, initial, options)
            content = decode_counter(result.content)
            if not content.over(self._now()):
                return content.count
            _drop(collection, name, result.cas)
        raise Unavailable(f"the counter {key} kept changing")

    def _counted(self, collection: Collection, namespace: str, key: str, initial: Any, options: dict[str, Any]) -> Any:
        name = document_key(key)
        if namespace in SHARDS:
            try:
                return collection.increment(name, IncrementOptions(initial=NO_INITIAL, **options))
            except DocumentNotFoundException:
                self._index.add(collection, namespace, key)
        return collection.increment(name, IncrementOptions(initial=initial, **options))

    def _entry(self, key: str, document: bytes, version: int) -> Entry | None:
        content = decode(document)
        if content.over(self._now()):
            return None
        if content.value is None:
            raise Corrupt(f"{key} is a counter, not a value")
        return Entry(content.value, version)

    def _present(self, collection: Collection, name: str) -> bool:
        """Whether there is a document whose time has not passed; one whose time has is dropped."""
        try:
            found = collection.get(name)
        except DocumentNotFoundException:
            return False
        if not decode(found.value).over(self._now()):
            return True
        _drop(collection, name, found.cas)
        return False

    def _on(self, namespace: str, work: Callable[[Collection], R]) -> R:
        return self._run(lambda connection: work(connection.collections[namespace]))

    def _run(self, work: Callable[[Connection], R]) -> R:
        try:
            with self._link.lent() as connection:
                return work(connection)
        except CouchbaseException as exc:
            if outdated(exc):
                self._link.close()
            raise translate(exc) from exc


def _readable(namespace: str, key: str, document: bytes, lost: Callable[[str], None]) -> Content | None:
    try:
        return decode(document)
    except Corrupt as exc:
        lost(f"{namespace}/{key}: {exc}")
        return None


def _log_lost(what: str) -> None:
    logger.warning("left out of the listing, since it cannot be read: %s", what)


def _expiry(ttl: timedelta | None) -> dict[str, timedelta]:
    """The SDK's option; without it the document stays."""
    seconds = server_expiry(ttl)
    return {} if seconds is None else {"expiry": seconds}


def _batches(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))


def _get_multi(collection: Collection, names: list[str]) -> tuple[dict[str, Any], Unavailable | None]:
    """The SDK's results by name, the absent left out, and why others could not be asked; other errors are raised."""
    results, exceptions = collection.get_multi(names, GetMultiOptions(return_exceptions=True))
    missing: Unavailable | None = None
    for exc in exceptions.values():
        error = translate(exc) if isinstance(exc, CouchbaseException) else exc
        if isinstance(error, Unavailable):
            missing = error
            if isinstance(exc, CouchbaseException) and outdated(exc):
                raise exc
        elif not isinstance(exc, DocumentNotFoundException):
            raise exc
    return results, missing


def _drop(collection: Collection, name: str, version: int) -> None:
    """Remove a document unless another has changed it."""
    with contextlib.suppress(CasMismatchException, DocumentNotFoundException):
        collection.remove(name, RemoveOptions(cas=version))


def _twice(write: Callable[[], None]) -> None:
    """Once more if it is unknown whether the first took effect; for writes that may be repeated."""
    try:
        write()
    except AmbiguousTimeoutException:
        write()
