"""GET a stored prediction."""

from datetime import UTC
from typing import Any, Final

from flask import Response, request

from service.api.blueprint import Blueprint
from service.api.examples import PREDICTION
from service.api.openapi import PREDICTED, header_references
from service.api.responses import ASK_AGAIN, etag
from service.api.schemas import PredictionQuery, PredictionResponse
from service.errors import ServiceError
from service.predicting.models import Models
from service.predicting.predictor import Predictor
from service.predicting.rendering import render
from service.predicting.requests import render_options

_HEADERS: Final = (*PREDICTED, "Last-Modified", "Vary", "Cache-Control")
_IF_NONE_MATCH: Final = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "An ETag: 304 if the prediction still has it.",
}


def blueprint(models: Models, predictor: Predictor) -> Blueprint:
    """The route of stored predictions."""
    routes = Blueprint("predictions", __name__, description="Read stored predictions.")

    @routes.endpoint(
        "/api/predictions/<id>",
        "read",
        query=PredictionQuery,
        returns=PredictionResponse,
        problems=("invalid-request", "no-such-prediction"),
        headers=_HEADERS,
        example={**PREDICTION, "cached": True},
        parameters=(_IF_NONE_MATCH,),
        document={
            "responses": {"304": {"description": "It still has this ETag.", "headers": header_references(_HEADERS)}}
        },
    )
    def get_prediction(arguments: dict[str, Any], id: str) -> Response:
        """A stored prediction.

        Its id is that of the answer to its abstract. The scores under an id never change.
        """
        answer, options = predictor.find(id, models.ready()), render_options(arguments)
        if answer is None:
            message = "There is no stored prediction with this id. POST the abstract to compute it."
            raise ServiceError("no-such-prediction", message)
        response = Response(render(answer, options), content_type="application/json")
        response.headers["ETag"] = etag(answer, options)
        response.headers["Cache-Status"] = "abstracts; hit"
        response.headers.update(ASK_AGAIN)
        response.last_modified = answer.prediction.created_at.astimezone(UTC)
        response.make_conditional(request)
        return response

    return routes
