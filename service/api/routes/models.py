"""GET which models there are."""

from typing import Any

from model.errors import UnknownModel
from service.api.blueprint import Blueprint
from service.api.schemas import ModelResponse, ModelsResponse
from service.listings import describe
from service.predicting.models import Models


def blueprint(models: Models) -> Blueprint:
    """The routes that describe models."""
    routes = Blueprint("models", __name__, description="See which models there are, and why one is not ready.")

    @routes.endpoint("/api/models", "read", returns=ModelsResponse)
    def every_model() -> dict[str, Any]:
        """Every model known, ready or not."""
        listings = [describe(listing, models.default) for listing in models.listings()]
        return {"default": models.default, "models": listings}

    @routes.endpoint("/api/models/<model>", "read", returns=ModelResponse, problems=(UnknownModel,))
    def one_model(model: str) -> dict[str, Any]:
        """One model: its labels, threshold and digest, or what makes it ready."""
        return describe(models.listing(model), models.default)

    return routes
