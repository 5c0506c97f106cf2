"""Which keys a namespace holds, kept in documents of its own: Couchbase lists keys only by query or range scan.

A key is appended to its shard before its document is first written, so the index is always a superset of what exists:
a crash between the two leaves a dead line, never an unlisted document. Reading it therefore means asking for each
document. A full scan rewrites shards of which a large share is dead or repeated; a shard that changed meanwhile is left
for the next scan. A line stays for GRACE seconds even if its document is missing: its writer may be about to write it.

Shard N is the documents `$index/N/0`, `$index/N/1` ...: a new segment is begun long before the size limit of 20 MiB.
A line is the time in hexadecimal, a colon, the key and a NUL.
"""

import contextlib
import itertools
import logging
import random
import zlib
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from couchbase.exceptions import (  # type: ignore[import-untyped]
    AmbiguousTimeoutException,
    CasMismatchException,
    CouchbaseException,
    DocumentExistsException,
    DocumentNotFoundException,
)
from couchbase.options import GetMultiOptions, GetOptions, InsertOptions, ReplaceOptions  # type: ignore[import-untyped]
from couchbase.transcoder import RawBinaryTranscoder  # type: ignore[import-untyped]

from storage.backends.couchbase.documents import RESERVED
from storage.backends.couchbase.errors import too_large
from storage.backends.couchbase.nodes import Collection
from storage.errors import Unavailable

logger = logging.getLogger(__name__)

SHARDS: Final = {"results": 256}
"""The namespaces that are listed, and into how many parts; a changed number would lose what is listed."""

GRACE: Final = 3600.0
SHARDS_AT_ONCE: Final = 16
MAX_SEGMENT: Final = 256 * 1024
"""Bytes beyond which a segment takes no more lines: every append costs the server a copy, every read the whole."""

SIZE_CHECKS: Final = 128
"""One append in so many looks at the size of its segment."""

MIN_LINES: Final = 64
ATTEMPTS: Final = 8
_BINARY: Final = RawBinaryTranscoder()


@dataclass(slots=True)
class Segment:
    """One document of a shard as it was read: the newest time of each key in it, and how many lines there are."""

    name: str
    cas: int
    lines: int
    keys: dict[str, int] = field(default_factory=dict)


class KeyIndex:
    """The index of the namespaces in SHARDS. Errors of the SDK pass as they are."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._current: dict[tuple[str, int], int] = {}

    def add(self, collection: Collection, namespace: str, key: str) -> None:
        """Append the key to its shard."""
        shard = zlib.crc32(key.encode()) % SHARDS[namespace]
        line = f"{int(self._now()):x}:{key}\0".encode()
        for _ in range(ATTEMPTS):
            segment = self._current.get((namespace, shard), 0)
            try:
                if _append(collection, shard, segment, line):
                    self._roll_over(collection, namespace, shard, segment)
                    return
            except CouchbaseException as exc:
                if not too_large(exc):
                    raise
                self._current[namespace, shard] = segment + 1
            else:
                # An earlier segment is missing: the bucket was emptied, and a reader would stop at the gap.
                self._current[namespace, shard] = 0
        raise Unavailable("the index of keys kept changing")

    def compact(self, collection: Collection, segments: list[Segment], present: Set[str]) -> None:
        """Drop repeated lines, and old ones of documents that are not `present`, where that halves a segment."""
        newest: dict[str, int] = {}
        for segment in segments:
            for key, stamp in segment.keys.items():
                newest[key] = max(stamp, newest.get(key, 0))
        recent = self._now() - GRACE
        seen: set[str] = set()
        for segment in segments:
            kept = {
                key: stamp
                for key, stamp in segment.keys.items()
                if stamp == newest[key] and key not in seen and (key in present or stamp > recent)
            }
            seen.update(kept)
            if segment.lines >= MIN_LINES and len(kept) <= segment.lines // 2:
                _rewrite(collection, segment, kept)

    def _roll_over(self, collection: Collection, namespace: str, shard: int, segment: int) -> None:
        if random.randrange(SIZE_CHECKS):  # noqa: S311 (a sample, no secret)
            return
        if len(_bytes(collection, _name(shard, segment))[0]) > MAX_SEGMENT:
            self._current[namespace, shard] = segment + 1


def read_shards(collection: Collection, shards: Sequence[int]) -> list[list[Segment]]:
    """What each of these shards holds, segment by segment; an unreadable line is as good as absent."""
    results, exceptions = collection.get_multi(
        [_name(shard, 0) for shard in shards], GetMultiOptions(return_exceptions=True, transcoder=_BINARY)
    )
    read = []
    for shard in shards:
        name = _name(shard, 0)
        if name in results:
            first = results[name]
            read.append([_parse(name, first.cas, first.value), *_following(collection, shard)])
        elif isinstance(exceptions[name], DocumentNotFoundException):
            read.append([])
        else:
            raise exceptions[name]
    return read


def _following(collection: Collection, shard: int) -> Iterator[Segment]:
    for number in itertools.count(1):
        name = _name(shard, number)
        try:
            content, cas = _bytes(collection, name)
        except DocumentNotFoundException:
            return
        yield _parse(name, cas, content)


def _name(shard: int, segment: int) -> str:
    return f"{RESERVED}index/{shard}/{segment}"


def _append(collection: Collection, shard: int, segment: int, line: bytes) -> bool:
    """Append, or begin the segment; False when the one before it is missing, too."""
    name = _name(shard, segment)
    for _ in range(2):
        try:
            return _repeated(lambda: collection.append(name, line))
        except DocumentNotFoundException:
            if segment and not _present(collection, _name(shard, segment - 1)):
                return False
        try:
            return _repeated(lambda: collection.insert(name, line, InsertOptions(transcoder=_BINARY)))
        except DocumentExistsException:
            continue
    raise Unavailable("the index of keys kept changing")


def _repeated(write: Callable[[], object]) -> bool:
    """Once more if it is unknown whether the first took effect; a line twice does no harm."""
    try:
        write()
    except AmbiguousTimeoutException:
        write()
    return True


def _present(collection: Collection, name: str) -> bool:
    try:
        _bytes(collection, name)
    except DocumentNotFoundException:
        return False
    return True


def _bytes(collection: Collection, name: str) -> tuple[bytes, int]:
    found = collection.get(name, GetOptions(transcoder=_BINARY))
    return found.value, found.cas


def _parse(name: str, cas: int, content: bytes) -> Segment:
    lines = content.decode(errors="replace").split("\0")[:-1]
    segment = Segment(name, cas, len(lines))
    for line in lines:
        stamp, _, key = line.partition(":")
        with contextlib.suppress(ValueError):
            segment.keys[key] = max(int(stamp, 16), segment.keys.get(key, 0))
    return segment


def _rewrite(collection: Collection, segment: Segment, kept: dict[str, int]) -> None:
    content = b"".join(f"{stamp:x}:{key}\0".encode() for key, stamp in kept.items())
    try:
        collection.replace(segment.name, content, ReplaceOptions(cas=segment.cas, transcoder=_BINARY))
    except (CasMismatchException, DocumentNotFoundException):
        logger.debug("%s has changed while it was read; left for the next scan", segment.name)
