"""The backend for any number of machines: one scope of a Couchbase bucket, a collection for each namespace.

Only single-document operations are used, so the data service of any edition is enough: no queries, no range scan. What
lists and counts is an index of keys that the backend keeps itself (storage.couchbase_index); `limits` has none.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

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

from storage.backends.couchbase.cluster import Connection, Settings
from storage.backends.couchbase.documents import (
    MAX_COUNT,
    Content,
    decode,
    decode_counter,
    document_key,
    encode_counter,
    encode_entry,
    expires_at,
    reencode,
    server_expiry,
)
from storage.backends.couchbase.errors import outdated, translate
from storage.backends.couchbase.index import SHARDS, SHARDS_AT_ONCE, KeyIndex, Segment, read_shards
from storage.backends.couchbase.link import Link
from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import (
    Backend,
    Countable,
    Entry,
    Initialisable,
    Scannable,
    check_amount,
    check_key,
    check_namespace,
    check_ttl,
)
from storage.errors import Corrupt, Unavailable

R = TypeVar("R")

logger = logging.getLogger(__name__)

BATCH: Final = 256
"""How many documents are asked for at once."""

ATTEMPTS: Final = 8
"""How often a read and conditional write is tried before others are taken to be too busy with the document."""

NO_INITIAL: Final = SignedInt64(-1)
"""A negative initial value means to the SDK that the counter is not to be created."""


class CouchbaseBackend(Backend, Countable, Scannable, Initialisable):
    """Entries and counters in the collections of `settings.url`'s scope. `now` gives unix seconds.

    Connecting takes at most the connect timeout and is tried anew by the calls after a failure. A call makes one to
    three operations, each bounded by the timeout: reads and increments of `limits` one, a first write to a listed
    namespace three. A value may have 20 MiB, else ValueError.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._index = KeyIndex(now)
        self._link = Link(lambda: Connection.open(settings), settings.connect_timeout.total_seconds())

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        username: str,
        password: str,
        timeout: timedelta,
        connect_timeout: timedelta,
        ca: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> Self:
        """The backend for couchbase://host1,host2/BUCKET/SCOPE, not yet connected; ValueError for another form.

        `ca`: PEM file of the authority to trust instead of the SDK's list, for couchbases://.
        """
        return cls(Settings(CouchbaseUrl.parse(url), username, password, timeout, connect_timeout, ca), now)

    def init(self) -> None:
        """Make the scope and the collections unless they exist; Unavailable when the user may not."""
        self._run(lambda connection: connection.create())

    def get(self, namespace: str, key: str) -> Entry | None:
        check_key(namespace, key)

        def read(collection: Any) -> Entry | None:
            try:
                found = collection.get(document_key(key))
            except DocumentNotFoundException:
                return None
            return self._entry(key, found.value, found.cas)

        return self._on(namespace, read)

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        for key in keys:
            check_key(namespace, key)
        found = self._fetch(namespace, keys)
        entries = {key: self._entry(key, content, version) for key, (content, version) in found.items()}
        return {key: entry for key, entry in entries.items() if entry is not None}

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        name, document = document_key(key), encode_entry(value, expires_at(ttl, self._now()))
        expiry = _expiry(ttl)

        def write(collection: Any) -> None:
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

        def write(collection: Any) -> bool:
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

        def write(collection: Any) -> bool:
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

        def read(collection: Any) -> tuple[int, float | None]:
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

    def touch(self, namespace: str, key: str, ttl: timedelta | None) -> bool:
        check_key(namespace, key)
        expires = expires_at(ttl, self._now())
        name, expiry = document_key(key), _expiry(ttl)

        def write(collection: Any) -> bool:
            found = collection.get(name)
            content = decode(found.value)
            if content.over(self._now()):
                return False
            collection.replace(name, reencode(content, expires), ReplaceOptions(cas=found.cas, **expiry))
            return True

        return self._on(namespace, lambda collection: _until_settled(lambda: write(collection)))

    def ping(self) -> None:
        self._run(lambda connection: connection.probe("results"))

    def close(self) -> None:
        self._link.close()

    def count(self, namespace: str) -> int:
        """As Countable, but every document is read; ValueError for `limits`, which has no index."""
        return sum(1 for _ in self._live(namespace, ""))

    def scan(self, namespace: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """As Scannable; what cannot be read is left out and logged. ValueError for `limits`, which has no index."""
        for key, content, version in self._live(namespace, prefix):
            if content.value is not None:
                yield key, Entry(content.value, version)

    def _live(self, namespace: str, prefix: str) -> Iterator[tuple[str, Content, int]]:
        """Key, content and version of what the namespace holds, shard by shard; tidies the shards on the way."""
        check_namespace(namespace)
        if namespace not in SHARDS:
            raise ValueError(f"{namespace} is not listed on Couchbase")
        for start in range(0, SHARDS[namespace], SHARDS_AT_ONCE):
            shards = range(start, min(start + SHARDS_AT_ONCE, SHARDS[namespace]))
            for segments in self._on(namespace, partial(read_shards, shards=shards)):
                yield from self._live_of(namespace, prefix, segments)

    def _live_of(self, namespace: str, prefix: str, segments: list[Segment]) -> Iterator[tuple[str, Content, int]]:
        keys = {key: None for segment in segments for key in segment.keys if key.startswith(prefix)}
        present: set[str] = set()
        for batch in _batches(list(keys)):
            found = self._fetch(namespace, batch)
            present.update(found)
            for key, (document, version) in found.items():
                content = _readable(namespace, key, document)
                if content is not None and not content.over(self._now()):
                    yield key, content, version
        if segments and not prefix:
            self._on(namespace, partial(self._index.compact, segments=segments, present=present))

    def _fetch(self, namespace: str, keys: Sequence[str]) -> dict[str, tuple[bytes, int]]:
        """Documents and versions of the keys that are present, expired or not."""
        names = {document_key(key): key for key in keys}
        found: dict[str, tuple[bytes, int]] = {}
        for batch in _batches(list(names)):
            results = self._on(namespace, partial(_get_multi, names=batch))
            found.update((names[name], (result.value, result.cas)) for name, result in results.items())
        return found

    def _increment(self, collection: Any, namespace: str, key: str, amount: int, ttl: timedelta | None) -> int:
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

    def _counted(self, collection: Any, namespace: str, key: str, initial: Any, options: dict[str, Any]) -> Any:
        name, binary = document_key(key), collection.binary()
        if namespace in SHARDS:
            try:
                return binary.increment(name, IncrementOptions(initial=NO_INITIAL, **options))
            except DocumentNotFoundException:
                self._index.add(collection, namespace, key)
        return binary.increment(name, IncrementOptions(initial=initial, **options))

    def _entry(self, key: str, document: bytes, version: int) -> Entry | None:
        content = decode(document)
        if content.over(self._now()):
            return None
        if content.value is None:
            raise Corrupt(f"{key} is a counter, not a value")
        return Entry(content.value, version)

    def _present(self, collection: Any, name: str) -> bool:
        """Whether there is a document whose time has not passed; one whose time has is dropped."""
        try:
            found = collection.get(name)
        except DocumentNotFoundException:
            return False
        if not decode(found.value).over(self._now()):
            return True
        _drop(collection, name, found.cas)
        return False

    def _on(self, namespace: str, work: Callable[[Any], R]) -> R:
        return self._run(lambda connection: work(connection.collections[namespace]))

    def _run(self, work: Callable[[Connection], R]) -> R:
        try:
            return self._link.run(work)
        except CouchbaseException as exc:
            if outdated(exc):
                self._link.close()
            raise translate(exc) from exc


def _readable(namespace: str, key: str, document: bytes) -> Content | None:
    try:
        return decode(document)
    except Corrupt as exc:
        logger.warning("%s/%s is left out of the listing: %s", namespace, key, exc)
        return None


def _expiry(ttl: timedelta | None) -> dict[str, timedelta]:
    """The SDK's option; without it the document stays."""
    seconds = server_expiry(ttl)
    return {} if seconds is None else {"expiry": seconds}


def _batches(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))


def _get_multi(collection: Any, names: list[str]) -> dict[str, Any]:
    """The SDK's results by name; the absent left out, any other error of a single document raised."""
    answer = collection.get_multi(names, GetMultiOptions(return_exceptions=True))
    for exc in answer.exceptions.values():
        if not isinstance(exc, DocumentNotFoundException):
            raise exc
    results: dict[str, Any] = answer.results
    return results


def _drop(collection: Any, name: str, version: int) -> None:
    """Remove a document unless another has changed it."""
    with contextlib.suppress(CasMismatchException, DocumentNotFoundException):
        collection.remove(name, RemoveOptions(cas=version))


def _twice(write: Callable[[], None]) -> None:
    """Once more if it is unknown whether the first took effect; for writes that may be repeated."""
    try:
        write()
    except AmbiguousTimeoutException:
        write()


def _until_settled(write: Callable[[], bool]) -> bool:
    """Again when another has written in between; False when the document is gone."""
    for _ in range(ATTEMPTS):
        try:
            return write()
        except DocumentNotFoundException:
            return False
        except CasMismatchException:
            continue
    raise Unavailable("the document kept changing")
