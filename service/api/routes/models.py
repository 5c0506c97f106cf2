"""GET which models there are."""

from typing import Any

from model.errors import UnknownModel
from model.registry import Listing
from service.api.blueprint import Blueprint
from service.api.schemas import ModelResponse, ModelsResponse
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


def describe(listing: Listing, default: str) -> dict[str, Any]:
    """A listing as ModelResponse has it; what does not apply is absent."""
    description: dict[str, Any] = {"name": listing.name, "default": listing.name == default, "state": listing.state}
    if listing.state != "ready":
        description |= {"reason": listing.reason, "remedy": listing.remedy}
    if listing.artifact is not None:
        manifest = listing.artifact.manifest
        description |= {
            "digest": listing.artifact.digest,
            "labels": list(manifest.labels),
            "activation": manifest.activation,
            "threshold": manifest.threshold,
            "max_tokens": manifest.max_tokens,
            "architecture": manifest.architecture,
            "checkpoint": manifest.checkpoint,
            "scores": manifest.scores,
            "licence": manifest.licence,
            "created": manifest.created,
        }
    return description
