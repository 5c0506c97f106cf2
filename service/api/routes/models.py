"""GET which models there are."""

from collections.abc import Mapping
from typing import Any, Final

from model.registry import Registry
from service.api.blueprint import Blueprint
from service.api.openapi import TIMED
from service.api.responses import ASK_AGAIN
from service.api.schemas import ModelResponse, ModelsResponse
from service.listings import describe

_HEADERS: Final = (*TIMED, "Cache-Control", "Vary")


def blueprint(registry: Registry) -> Blueprint:
    """The routes that describe models."""
    routes = Blueprint("models", __name__, description="See which models there are, and why one is not ready.")

    @routes.endpoint("/api/models", "read", returns=ModelsResponse, headers=_HEADERS)
    def list_models() -> tuple[dict[str, Any], Mapping[str, str]]:
        """Every model known, ready or not.

        `default` names the one that is asked where a request names none.
        """
        listings = [describe(listing, registry.default) for listing in registry.list()]
        return {"default": registry.default, "models": listings}, ASK_AGAIN

    @routes.endpoint(
        "/api/models/<model>", "read", returns=ModelResponse, problems=("unknown-model",), headers=_HEADERS
    )
    def get_model(model: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        """One model.

        Its labels, threshold and digest; or what makes it ready.
        """
        return describe(registry.get(model), registry.default), ASK_AGAIN

    return routes
