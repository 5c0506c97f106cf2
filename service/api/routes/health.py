"""Probes and metrics, for machines that have no key."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Response, jsonify

from model.registry import Registry
from service.api.blueprint import Blueprint
from service.api.examples import READINESS
from service.api.schemas import LivenessResponse, ReadinessResponse
from service.errors import ServiceError
from service.telemetry.metrics import CONTENT_TYPE, Metrics
from storage.base import Backend, Status
from storage.errors import StorageError

_HEADERS: Final = ("Cache-Control",)


def blueprint(
    registry: Registry,
    backend: Backend,
    status: Callable[[], Status],
    metrics: Metrics,
    is_reachable: Callable[[str], bool],
) -> Blueprint:
    """The routes of probes and metrics.

    `status`: of the store. `is_reachable`: whether what runs the model of that name has it ready.
    """
    routes = Blueprint("health", __name__, description="Probes and metrics.")

    @routes.endpoint("/livez", "probe", returns=LivenessResponse, headers=_HEADERS, example={"state": "live"})
    def get_liveness() -> Response:
        """Whether the process answers.

        Touches nothing else.
        """
        return jsonify(state="live")

    @routes.endpoint(
        "/readyz", "probe", returns=ReadinessResponse, problems=("not-ready",), headers=_HEADERS, example=READINESS
    )
    def get_readiness() -> Response:
        """What can be answered.

        `ready`; `degraded` without the store or the default model; else a problem, with the same members.
        """
        report = readiness(registry, backend, status, is_reachable)
        if report["state"] == "unready":
            raise ServiceError("not-ready", "No model can answer.", members=report)
        return jsonify(report)

    @routes.endpoint("/metrics", "probe", returns={"type": "string"}, content_type="text/plain", headers=_HEADERS)
    def get_metrics() -> Response:
        """Metrics of this server.

        All its processes together, in Prometheus' text format.
        """
        return Response(metrics.exposition(), content_type=CONTENT_TYPE)

    return routes


def readiness(
    registry: Registry, backend: Backend, status: Callable[[], Status], is_reachable: Callable[[str], bool]
) -> Mapping[str, Any]:
    """`state`, `store` and `models`: each one's state, `unreachable` where only its server is missing.

    The store is `up`, `impaired` (writes, or a part of it, are out, or it is too slow for requests) or `down`.
    """
    try:
        backend.ping()
        store = "impaired" if status().out else "up"
    except StorageError:
        store = "impaired" if _still_reads(status()) else "down"
    states = {
        listing.name: "unreachable" if listing.state == "ready" and not is_reachable(listing.name) else listing.state
        for listing in registry.list()
    }
    if "ready" not in states.values():
        state = "unready"
    elif store != "up" or states.get(registry.default) != "ready":
        state = "degraded"
    else:
        state = "ready"
    return {"state": state, "store": store, "models": states}


def _still_reads(status: Status) -> bool:
    """Whether no more is given up than writes, or single nodes."""
    return bool(status.out) and not any(part.startswith("reads") and " of " not in part for part in status.out)
