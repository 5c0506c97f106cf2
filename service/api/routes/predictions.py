"""GET a stored prediction."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from service.api.blueprint import Blueprint
from service.api.responses import etag
from service.api.schemas import PredictionQuery, PredictionResponse
from service.errors import InvalidRequest, NoSuchPrediction
from service.predicting.classification import Classification
from service.predicting.rendering import render


def blueprint(classification: Classification) -> Blueprint:
    """The route of stored predictions."""
    routes = Blueprint("predictions", __name__, description="Read stored predictions.")

    @routes.endpoint(
        "/api/predictions/<id>",
        "read",
        query=PredictionQuery,
        returns=PredictionResponse,
        problems=(InvalidRequest, NoSuchPrediction),
    )
    def prediction(arguments: dict[str, Any], id: str) -> Response:
        """A stored prediction, by the id that the answer to its abstract had."""
        record = classification.find(id)
        response = Response(render(record, cached=True, **arguments), mimetype="application/json")
        response.headers["ETag"] = etag(record, arguments.get("threshold"), arguments.get("top_k"))
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Cache-Status"] = "abstracts; hit"
        response.headers["Vary"] = "Authorization, X-API-Key"
        response.last_modified = datetime.fromtimestamp(record.created, UTC)
        response.make_conditional(request)
        return response

    return routes
