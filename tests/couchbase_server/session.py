"""One client connection to one node: bootstrap (HELLO, SASL, select bucket, configuration) and then documents."""

import json
import struct
from collections.abc import Callable

from tests.couchbase_server.auth import HASHES, Denied, Scram, Users, mechanisms, plain
from tests.couchbase_server.cluster import VBUCKETS, Manifest, Topology
from tests.couchbase_server.commands import Commands, check_form, check_frames
from tests.couchbase_server.errormap import error_map
from tests.couchbase_server.wire import (
    JSON_DATATYPE,
    Feature,
    Opcode,
    Refused,
    Request,
    Response,
    Status,
    split_collection,
)

BEFORE_LOGIN = {Opcode.HELLO, Opcode.SASL_LIST, Opcode.SASL_AUTH, Opcode.SASL_STEP, Opcode.ERROR_MAP, Opcode.VERSION}
EXTENDED = {Status.LOCKED: Status.TEMPORARY_FAILURE}
"""What a client that has not enabled XERROR is told instead (MB-22459 in kv_engine's testapp_lock.cc)."""


class Session:
    """The state of a connection; `answer` turns a request into its response."""

    def __init__(
        self, node: int, tls: bool, users: Users, topology: Topology, manifest: Manifest, commands: Commands
    ) -> None:
        self.features: set[int] = set()
        self._node = node
        self._tls = tls
        self._users = users
        self._topology = topology
        self._manifest = manifest
        self._commands = commands
        self._scram: Scram | None = None
        self._authenticated = False
        self._bucket = False
        self._table: dict[int, Callable[[Request], Response]] = {
            Opcode.HELLO: self._hello,
            Opcode.ERROR_MAP: lambda request: Response(value=error_map(_number(request.value)), datatype=self._json()),
            Opcode.SASL_LIST: lambda request: Response(value=" ".join(mechanisms(self._tls)).encode()),
            Opcode.SASL_AUTH: self._sasl_auth,
            Opcode.SASL_STEP: self._sasl_step,
            Opcode.SELECT_BUCKET: self._select_bucket,
            Opcode.CLUSTER_CONFIG: lambda request: Response(value=self._config(), datatype=self._json()),
            Opcode.NOOP: lambda request: Response(),
            Opcode.QUIT: lambda request: Response(),
            Opcode.VERSION: lambda request: Response(value=b"7.6.0-0000"),
            Opcode.MANIFEST: lambda request: Response(value=self._manifest.document(), datatype=self._json()),
            Opcode.COLLECTION_ID: self._collection_id,
            Opcode.SCOPE_ID: self._scope_id,
        }

    def answer(self, request: Request) -> Response:
        try:
            return self._dispatch(request)
        except Refused as refused:
            response = refused.response
            if Feature.XERROR not in self.features:
                response.status = EXTENDED.get(response.status, response.status)
            return response

    def _dispatch(self, request: Request) -> Response:
        if request.opcode not in self._table and request.opcode not in self._commands:
            raise Refused(Status.UNKNOWN_COMMAND)
        if not self._authenticated and request.opcode not in BEFORE_LOGIN:
            raise Refused(Status.NO_ACCESS)
        if request.opcode in self._table:
            return self._table[request.opcode](request)
        if not self._bucket:
            raise Refused(Status.NO_BUCKET)
        return self._document(request)

    def _document(self, request: Request) -> Response:
        collections = Feature.COLLECTIONS in self.features
        collection, key = split_collection(request.key) if collections else (0, request.key)
        check_form(request, key, collections)
        check_frames(request)
        if request.vbucket >= VBUCKETS or self._topology.owners[request.vbucket] != self._node:
            raise Refused(Status.NOT_MY_VBUCKET, self._config(), self._json())
        if collection not in self._manifest.collection_ids:
            raise self._unknown(Status.UNKNOWN_COLLECTION)
        return self._commands.execute(request, (request.vbucket, collection, key), self.features)

    def _hello(self, request: Request) -> Response:
        """Grants what is implemented of what is asked, and nothing that was not asked."""
        if len(request.value) % 2:
            raise Refused(Status.INVALID)
        asked = struct.unpack(f">{len(request.value) // 2}H", request.value)
        granted = [feature for feature in dict.fromkeys(asked) if feature in list(Feature)]
        self.features = set(granted)
        return Response(value=struct.pack(f">{len(granted)}H", *granted))

    def _sasl_auth(self, request: Request) -> Response:
        mechanism = request.key.decode(errors="replace")
        self._authenticated, self._scram = False, None
        if mechanism not in mechanisms(self._tls):
            raise Refused(Status.AUTH_ERROR)
        try:
            if mechanism in HASHES:
                self._scram = Scram(self._users, mechanism)
                return Response(Status.AUTH_CONTINUE, value=self._scram.first(request.value))
            plain(self._users, request.value)
        except (Denied, ValueError) as exc:
            raise Refused(Status.AUTH_ERROR) from exc
        self._authenticated = True
        return Response()

    def _sasl_step(self, request: Request) -> Response:
        scram, self._scram = self._scram, None
        if scram is None:
            raise Refused(Status.INVALID)
        try:
            final = scram.final(request.value)
        except (Denied, ValueError) as exc:
            raise Refused(Status.AUTH_ERROR) from exc
        self._authenticated = True
        return Response(value=final)

    def _select_bucket(self, request: Request) -> Response:
        self._bucket = request.key.decode(errors="replace") == self._topology.bucket
        if not self._bucket:
            raise Refused(Status.NOT_FOUND)
        return Response()

    def _config(self) -> bytes:
        if self._bucket:
            return json.dumps(self._topology.bucket_config(self._node, f"{self._manifest.uid:x}")).encode()
        return json.dumps(self._topology.global_config(self._node)).encode()

    def _collection_id(self, request: Request) -> Response:
        """The value is `scope.collection`; an empty name is the default one."""
        path = request.value.decode(errors="replace").split(".")
        if request.key or request.extras or len(path) != 2:
            raise Refused(Status.INVALID)
        try:
            number = self._manifest.collection(path[0] or "_default", path[1] or "_default")
        except KeyError as exc:
            raise self._unknown(Status.UNKNOWN_SCOPE) from exc
        if number is None:
            raise self._unknown(Status.UNKNOWN_COLLECTION)
        return Response(extras=struct.pack(">QI", self._manifest.uid, number))

    def _scope_id(self, request: Request) -> Response:
        name = request.value.decode(errors="replace").partition(".")[0] or "_default"
        try:
            return Response(extras=struct.pack(">QI", self._manifest.uid, self._manifest.scope(name)))
        except KeyError as exc:
            raise self._unknown(Status.UNKNOWN_SCOPE) from exc

    def _unknown(self, status: Status) -> Refused:
        """Names the manifest that was asked, in hexadecimal (Collections.md, "Error Code 0x88")."""
        body = json.dumps({"manifest_uid": f"{self._manifest.uid:x}"}).encode()
        return Refused(status, body, self._json())

    def _json(self) -> int:
        return JSON_DATATYPE if Feature.JSON in self.features else 0


def _number(value: bytes) -> int:
    if len(value) != 2:
        raise Refused(Status.INVALID)
    return int.from_bytes(value, "big")
