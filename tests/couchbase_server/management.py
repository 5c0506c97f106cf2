"""The REST interface of the cluster manager, as far as scopes and collections need it.

Source: Couchbase Server documentation, "Scopes and Collections API".
"""

import json
from http import HTTPStatus

from tests.couchbase_server.auth import Users
from tests.couchbase_server.cluster import Manifest, ManifestError, Topology
from tests.couchbase_server.http import HttpRequest, HttpResponse


class Management:
    """Handler of one node's management port."""

    def __init__(self, node: int, users: Users, topology: Topology, manifest: Manifest) -> None:
        self._node = node
        self._users = users
        self._topology = topology
        self._manifest = manifest

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not self._users.check_basic(request.authorization):
            return HttpResponse(HTTPStatus.UNAUTHORIZED)
        try:
            return self._route(request)
        except ManifestError as exc:
            missing = "not found" in str(exc)
            return HttpResponse(
                HTTPStatus.NOT_FOUND if missing else HTTPStatus.BAD_REQUEST, {"errors": {"_": str(exc)}}
            )

    def _route(self, request: HttpRequest) -> HttpResponse:
        bucket = self._topology.bucket
        match (request.method, *request.path):
            case ("GET", "pools"):
                return HttpResponse(HTTPStatus.OK, {"uuid": "0123456789abcdef", "pools": [], "isEnterprise": False})
            case ("GET", "pools", "default", "nodeServices"):
                return HttpResponse(HTTPStatus.OK, self._topology.global_config(self._node))
            case ("GET", "pools", "default", "b", name) if name == bucket:
                return HttpResponse(HTTPStatus.OK, self._topology.bucket_config(self._node, f"{self._manifest.uid:x}"))
            case (_, "pools", "default", "buckets", name, "scopes", *rest) if name == bucket:
                return self._scopes(request, rest)
        return HttpResponse(HTTPStatus.NOT_FOUND, "Requested resource not found.")

    def _scopes(self, request: HttpRequest, rest: list[str]) -> HttpResponse:
        match (request.method, *rest):
            case ("GET",):
                return HttpResponse(HTTPStatus.OK, json.loads(self._manifest.document()))
            case ("POST",):
                return _done(self._manifest.create_scope(request.form().get("name", "")))
            case ("DELETE", scope):
                return _done(self._manifest.drop_scope(scope))
            case ("POST", scope, "collections"):
                return _done(self._manifest.create_collection(scope, request.form().get("name", "")))
            case ("DELETE", scope, "collections", collection):
                return _done(self._manifest.drop_collection(scope, collection))
        return HttpResponse(HTTPStatus.METHOD_NOT_ALLOWED)


def _done(uid: str) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, {"uid": uid})
