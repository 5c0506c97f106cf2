"""GET which models there are."""

from typing import Any

from model.registry import Registry
from service.api.blueprint import Blueprint
from service.api.schemas import ModelResponse, ModelsResponse
from service.listings import describe


def blueprint(registry: Registry) -> Blueprint:
    """The routes that describe models."""
    routes = Blueprint("models", __name__, description="See which models there are, and why one is not ready.")

    @routes.endpoint("/api/models", "read", returns=ModelsResponse)
    def every_model() -> dict[str, Any]:
        """Every model known, ready or not."""
        listings = [describe(listing, registry.default) for listing in registry.list()]
        return {"default": registry.default, "models": listings}

    @routes.endpoint("/api/models/<model>", "read", returns=ModelResponse, problems=("unknown-model",))
    def one_model(model: str) -> dict[str, Any]:
        """One model: its labels, threshold and digest, or what makes it ready."""
        return describe(registry.get(model), registry.default)

    return routes
