"""The tests' own port: the clock, faults, the vBucket map, and counts of what was asked."""

import json
from collections import Counter
from http import HTTPStatus

from tests.couchbase_server.clock import Clock
from tests.couchbase_server.cluster import Topology
from tests.couchbase_server.faults import Faults
from tests.couchbase_server.http import HttpRequest, HttpResponse


class Control:
    """Handler of the control port; bodies are JSON.

    POST /clock {"advance": seconds}, POST /faults {a Fault}, DELETE /faults,
    POST /map {"first": vbucket, "last": vbucket, "node": number}, GET /requests -> {opcode: count}
    """

    def __init__(self, clock: Clock, faults: Faults, topology: Topology, requests: Counter[int]) -> None:
        self._clock = clock
        self._faults = faults
        self._topology = topology
        self._requests = requests

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._route(request)
        except (ValueError, TypeError, KeyError) as exc:
            return HttpResponse(HTTPStatus.BAD_REQUEST, {"error": repr(exc)})

    def _route(self, request: HttpRequest) -> HttpResponse:
        body = json.loads(request.body) if request.body else {}
        match (request.method, *request.path):
            case ("POST", "clock"):
                self._clock.offset += float(body["advance"])
            case ("POST", "faults"):
                self._faults.add(body)
            case ("DELETE", "faults"):
                self._faults.clear()
            case ("POST", "map"):
                self._topology.move(body["first"], body["last"], body["node"])
            case ("GET", "requests"):
                return HttpResponse(HTTPStatus.OK, {f"{opcode:#04x}": n for opcode, n in self._requests.items()})
            case _:
                return HttpResponse(HTTPStatus.NOT_FOUND)
        return HttpResponse(HTTPStatus.OK, {})
