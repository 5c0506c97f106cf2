"""From a request for a document to the engine and back: the forms of BinaryProtocol.md, command by command."""

import json
import struct
from collections.abc import Callable

from tests.couchbase_server.engine import Address, Document, Engine
from tests.couchbase_server.wire import JSON_DATATYPE, Feature, Opcode, Refused, Request, Response, Status

MAX_KEY = 250
MAX_COLLECTION_KEY = 246
VBUCKET_UUID = 0xC0FFEE

EXTRAS: dict[int, tuple[int, ...]] = {
    Opcode.GET: (0,),
    Opcode.SET: (8,),
    Opcode.ADD: (8,),
    Opcode.REPLACE: (8,),
    Opcode.DELETE: (0,),
    Opcode.INCREMENT: (20,),
    Opcode.DECREMENT: (20,),
    Opcode.APPEND: (0,),
    Opcode.PREPEND: (0,),
    Opcode.TOUCH: (4,),
    Opcode.GET_AND_TOUCH: (4,),
    Opcode.GET_AND_LOCK: (0, 4),
    Opcode.UNLOCK: (0,),
}
"""The lengths of extras that each command on a document takes."""

MAY_HAVE_VALUE = {Opcode.SET, Opcode.ADD, Opcode.REPLACE, Opcode.APPEND, Opcode.PREPEND}
DURABLE = MAY_HAVE_VALUE | {Opcode.DELETE, Opcode.INCREMENT, Opcode.DECREMENT}
REORDER, DURABILITY, OPEN_TRACING, PRESERVE_EXPIRY = 0, 1, 3, 5


def check_form(request: Request, key: bytes, collections: bool) -> None:
    """Refused unless extras, key and value are of the lengths that the command takes."""
    if len(request.extras) not in EXTRAS[request.opcode]:
        raise Refused(Status.INVALID)
    if not 0 < len(key) <= (MAX_COLLECTION_KEY if collections else MAX_KEY):
        raise Refused(Status.INVALID)
    if request.value and request.opcode not in MAY_HAVE_VALUE:
        raise Refused(Status.INVALID)


def check_frames(request: Request) -> bool:
    """Refused for frame infos that cannot be honoured; answers whether an existing expiry is to be preserved."""
    for number, data in request.frames:
        if number == DURABILITY and request.opcode in DURABLE:
            _check_durability(data)
        elif number not in (REORDER, OPEN_TRACING, PRESERVE_EXPIRY):
            raise Refused(Status.UNKNOWN_FRAME_INFO)
    return any(number == PRESERVE_EXPIRY for number, _ in request.frames)


def _check_durability(data: bytes) -> None:
    if len(data) not in (1, 3):
        raise Refused(Status.INVALID)
    if data[0] not in (1, 2, 3):
        raise Refused(Status.BAD_DURABILITY_LEVEL)
    if len(data) == 3 and int.from_bytes(data[1:], "big") in (0, 0xFFFF):
        raise Refused(Status.INVALID)


class Commands:
    """Executes requests for one connection's features over the shared engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._table: dict[int, Callable[[Request, Address, set[int]], Response]] = {
            Opcode.GET: self._get,
            Opcode.SET: self._set,
            Opcode.ADD: self._add,
            Opcode.REPLACE: self._replace,
            Opcode.DELETE: self._delete,
            Opcode.INCREMENT: self._count,
            Opcode.DECREMENT: self._count,
            Opcode.APPEND: self._concatenate,
            Opcode.PREPEND: self._concatenate,
            Opcode.TOUCH: self._touch,
            Opcode.GET_AND_TOUCH: self._get_and_touch,
            Opcode.GET_AND_LOCK: self._get_and_lock,
            Opcode.UNLOCK: self._unlock,
        }

    def __contains__(self, opcode: int) -> bool:
        return opcode in self._table

    def execute(self, request: Request, address: Address, features: set[int]) -> Response:
        """The answer; Refused when the operation was not done."""
        return self._table[request.opcode](request, address, features)

    def _get(self, request: Request, address: Address, features: set[int]) -> Response:
        return _found(self._engine.get(address), features)

    def _set(self, request: Request, address: Address, features: set[int]) -> Response:
        flags, expiry = struct.unpack(">II", request.extras)
        keep = check_frames(request)
        return _done(self._engine.store(address, request.value, flags, expiry, request.cas, keep), features)

    def _add(self, request: Request, address: Address, features: set[int]) -> Response:
        if request.cas:
            raise Refused(Status.INVALID)
        flags, expiry = struct.unpack(">II", request.extras)
        return _done(self._engine.add(address, request.value, flags, expiry), features)

    def _replace(self, request: Request, address: Address, features: set[int]) -> Response:
        flags, expiry = struct.unpack(">II", request.extras)
        keep = check_frames(request)
        return _done(self._engine.replace(address, request.value, flags, expiry, request.cas, keep), features)

    def _delete(self, request: Request, address: Address, features: set[int]) -> Response:
        return _done(self._engine.delete(address, request.cas), features)

    def _count(self, request: Request, address: Address, features: set[int]) -> Response:
        delta, initial, expiry = struct.unpack(">QQI", request.extras)
        if request.cas:
            raise Refused(Status.INVALID)
        signed = delta if request.opcode == Opcode.INCREMENT else -delta
        number, document = self._engine.count(address, signed, initial, expiry)
        answer = _done(document, features)
        answer.value = struct.pack(">Q", number)
        return answer

    def _concatenate(self, request: Request, address: Address, features: set[int]) -> Response:
        if request.opcode == Opcode.APPEND:
            document = self._engine.concatenate(address, lambda old: old + request.value, request.cas)
        else:
            document = self._engine.concatenate(address, lambda old: request.value + old, request.cas)
        return _done(document, features)

    def _touch(self, request: Request, address: Address, features: set[int]) -> Response:
        return Response(cas=self._engine.touch(address, _expiry(request)).cas)

    def _get_and_touch(self, request: Request, address: Address, features: set[int]) -> Response:
        return _found(self._engine.touch(address, _expiry(request)), features)

    def _get_and_lock(self, request: Request, address: Address, features: set[int]) -> Response:
        seconds = _expiry(request) if request.extras else 0
        return _found(self._engine.lock(address, seconds), features)

    def _unlock(self, request: Request, address: Address, features: set[int]) -> Response:
        if not request.cas:
            raise Refused(Status.INVALID)
        self._engine.unlock(address, request.cas)
        return Response()


def _expiry(request: Request) -> int:
    return int.from_bytes(request.extras, "big")


def _found(document: Document, features: set[int]) -> Response:
    datatype = JSON_DATATYPE if Feature.JSON in features and _is_json(document.value) else 0
    flags = struct.pack(">I", document.flags)
    return Response(cas=document.cas, extras=flags, value=document.value, datatype=datatype)


def _done(document: Document, features: set[int]) -> Response:
    """A mutation's answer: the new CAS, and vBucket UUID and sequence number for clients that asked for them."""
    token = struct.pack(">QQ", VBUCKET_UUID, document.seqno) if Feature.MUTATION_SEQNO in features else b""
    return Response(cas=document.cas, extras=token)


def _is_json(value: bytes) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
