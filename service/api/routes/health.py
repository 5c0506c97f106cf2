"""Probes and metrics, for machines that have no key."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

from service.api.blueprint import Blueprint
from service.errors import NotReady
from service.predicting.models import Models
from service.telemetry.metrics import CONTENT_TYPE, Metrics
from storage.base import Backend
from storage.errors import StorageError


def blueprint(models: Models, backend: Backend, metrics: Metrics) -> Blueprint:
    """The routes of probes and metrics."""
    routes = Blueprint("health", __name__, description="Probes and metrics.")

    @routes.endpoint("/livez", "probe")
    def livez() -> Response:
        """The process answers. Touches nothing else."""
        return jsonify(state="live")

    @routes.endpoint("/readyz", "probe", problems=(NotReady,))
    def readyz() -> Response:
        """What can be answered: `ready`; `degraded` without the store or the default model; else a problem."""
        report = readiness(models, backend)
        if report["state"] == "unready":
            raise NotReady(report)
        return jsonify(report)

    @routes.endpoint("/metrics", "probe")
    def scrape() -> Response:
        """Metrics of this process in Prometheus' text format."""
        return Response(metrics.exposition(), content_type=CONTENT_TYPE)

    return routes


def readiness(models: Models, backend: Backend) -> Mapping[str, Any]:
    """`state`, `store` (up or down) and `models` (each one's state)."""
    try:
        backend.ping()
        store = "up"
    except StorageError:
        store = "down"
    states = models.states()
    if "ready" not in states.values():
        state = "unready"
    elif store == "down" or states.get(models.default) != "ready":
        state = "degraded"
    else:
        state = "ready"
    return {"state": state, "store": store, "models": states}
