"""Documents and the rules of the single-document operations (BinaryProtocol.md, "Client Commands").

An expiry of at most 30 days is relative to the server's clock, anything above is Unix time, 0 is never (memcached's
protocol.txt, "Expiration times"). Every mutation gives the document a new CAS. A locked document refuses every
mutation that does not carry the CAS of its lock (kv_engine, tests/testapp/testapp_lock.cc).
"""

import base64
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.couchbase_server.clock import Clock
from tests.couchbase_server.journal import Journal
from tests.couchbase_server.wire import Refused, Status

THIRTY_DAYS = 30 * 24 * 3600
MAX_VALUE = 20 * 1024 * 1024
LOCKED_CAS = 0xFFFFFFFFFFFFFFFF
DEFAULT_LOCK, MAX_LOCK = 15, 30
NO_CREATE = 0xFFFFFFFF
WRAP = 1 << 64

Address = tuple[int, int, bytes]
"""vBucket, collection id, key: a document is only found in the vBucket that the request names."""


@dataclass(frozen=True, slots=True)
class Document:
    value: bytes
    flags: int
    expiry: int
    cas: int
    seqno: int
    locked_until: float = 0.0


class Engine:
    """All documents of one bucket. Operations answer the document as it now is, or raise Refused."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._documents: dict[Address, Document] = {}
        self._cas = 0
        self._seqno = 0

    def restore(self, record: dict[str, Any]) -> None:
        """Takes up one journal record of the kind written by this class."""
        vbucket, collection, key = record["address"]
        address = (vbucket, collection, base64.b64decode(key))
        if record["document"] is None:
            self._documents.pop(address, None)
            return
        document = Document(**{**record["document"], "value": base64.b64decode(record["document"]["value"])})
        self._documents[address] = document
        self._cas, self._seqno = max(self._cas, document.cas), max(self._seqno, document.seqno)

    def drop_collections(self, present: set[int]) -> None:
        """Forgets the documents of collections that are no longer in the manifest."""
        for address in [address for address in self._documents if address[1] not in present]:
            del self._documents[address]

    def absolute(self, expiry: int) -> int:
        """What the 32-bit field of a request means, in Unix seconds; 0 is never."""
        return expiry if expiry == 0 or expiry > THIRTY_DAYS else int(self._clock.now()) + expiry

    def get(self, address: Address) -> Document:
        """The document; its CAS is all ones while it is locked, so that nobody mistakes it for the lock's."""
        document = self._live(address)
        return replace(document, cas=LOCKED_CAS) if self._locked(document) else document

    def store(self, address: Address, value: bytes, flags: int, expiry: int, cas: int, keep: bool = False) -> Document:
        """SET: unconditional without a CAS; with one, only over the very version (`keep`: an existing expiry stays)."""
        document = self._find(address)
        if document is None and cas:
            raise Refused(Status.NOT_FOUND)
        if document is not None:
            self._check(document, cas)
        kept = keep and document is not None
        return self._write(address, value, flags, document.expiry if kept and document else self.absolute(expiry))

    def add(self, address: Address, value: bytes, flags: int, expiry: int) -> Document:
        if self._find(address) is not None:
            raise Refused(Status.EXISTS)
        return self._write(address, value, flags, self.absolute(expiry))

    def replace(
        self, address: Address, value: bytes, flags: int, expiry: int, cas: int, keep: bool = False
    ) -> Document:
        document = self._live(address)
        self._check(document, cas)
        return self._write(address, value, flags, document.expiry if keep else self.absolute(expiry))

    def delete(self, address: Address, cas: int) -> Document:
        document = self._live(address)
        self._check(document, cas)
        self._remove(address)
        return replace(document, cas=self._next_cas(), seqno=self._next_seqno())

    def touch(self, address: Address, expiry: int) -> Document:
        document = self._live(address)
        self._check(document, 0)
        return self._write(address, document.value, document.flags, self.absolute(expiry))

    def concatenate(self, address: Address, join: Callable[[bytes], bytes], cas: int) -> Document:
        """APPEND and PREPEND: expiry and flags stay; a missing document is Item not stored."""
        document = self._find(address)
        if document is None:
            raise Refused(Status.NOT_STORED)
        self._check(document, cas)
        return self._write(address, join(document.value), document.flags, document.expiry)

    def count(self, address: Address, delta: int, initial: int, expiry: int) -> tuple[int, Document]:
        """INCREMENT and DECREMENT (negative `delta`): up it wraps at 2^64, down it stops at 0; the expiry stays."""
        document = self._find(address)
        if document is None:
            if expiry == NO_CREATE:
                raise Refused(Status.NOT_FOUND)
            return initial, self._write(address, str(initial).encode(), 0, self.absolute(expiry))
        self._check(document, 0)
        if not document.value.isdigit() or int(document.value) >= WRAP:
            raise Refused(Status.NOT_A_NUMBER)
        number = max(int(document.value) + delta, 0) % WRAP
        return number, self._write(address, str(number).encode(), document.flags, document.expiry)

    def lock(self, address: Address, seconds: int) -> Document:
        """GET_AND_LOCK: for `seconds`, the default when 0 or above the maximum."""
        document = self._live(address)
        self._check(document, 0)
        period = seconds if 0 < seconds <= MAX_LOCK else DEFAULT_LOCK
        locked = replace(document, cas=self._next_cas(), locked_until=self._clock.now() + period)
        self._documents[address] = locked
        return locked

    def unlock(self, address: Address, cas: int) -> Document:
        document = self._live(address)
        if not self._locked(document):
            raise Refused(Status.TEMPORARY_FAILURE)
        if document.cas != cas:
            raise Refused(Status.LOCKED)
        unlocked = replace(document, locked_until=0.0)
        self._documents[address] = unlocked
        return unlocked

    def _find(self, address: Address) -> Document | None:
        document = self._documents.get(address)
        if document is not None and 0 < document.expiry <= self._clock.now():
            self._remove(address)
            return None
        return document

    def _live(self, address: Address) -> Document:
        document = self._find(address)
        if document is None:
            raise Refused(Status.NOT_FOUND)
        return document

    def _locked(self, document: Document) -> bool:
        return document.locked_until > self._clock.now()

    def _check(self, document: Document, cas: int) -> None:
        if self._locked(document) and cas != document.cas:
            raise Refused(Status.LOCKED)
        if cas and cas != document.cas:
            raise Refused(Status.EXISTS)

    def _write(self, address: Address, value: bytes, flags: int, expiry: int) -> Document:
        if len(value) > MAX_VALUE:
            raise Refused(Status.TOO_BIG)
        document = Document(value, flags, expiry, self._next_cas(), self._next_seqno())
        self._documents[address] = document
        stored = asdict(document) | {"value": base64.b64encode(value).decode()}
        self._journal.append({"address": _portable(address), "document": stored})
        return document

    def _remove(self, address: Address) -> None:
        del self._documents[address]
        self._journal.append({"address": _portable(address), "document": None})

    def _next_cas(self) -> int:
        """Unix nanoseconds, made unique: never 0, never used twice."""
        self._cas = max(self._cas + 1, time.time_ns())
        return self._cas

    def _next_seqno(self) -> int:
        self._seqno += 1
        return self._seqno


def _portable(address: Address) -> list[int | str]:
    return [address[0], address[1], base64.b64encode(address[2]).decode()]
