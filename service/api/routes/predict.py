"""POST an abstract, get a prediction."""

from typing import Any

from flask import Response, request
from werkzeug.http import parse_set_header

from model.errors import EngineError, ModelUnavailable, Overloaded, UnknownModel
from service.access.gate import current_call
from service.access.ratelimits import RateLimits
from service.api.blueprint import BODY_PROBLEMS, Blueprint
from service.api.responses import directives, prediction_response
from service.api.routes.jobs import accepted
from service.api.schemas import PredictionResponse, PredictRequest
from service.errors import NotStored
from service.jobs.intake import Intake
from service.predicting.classification import Classification
from service.predicting.models import Models, ServedModel
from service.telemetry.metrics import Metrics

PROBLEMS = (*BODY_PROBLEMS, Overloaded, ModelUnavailable, EngineError, NotStored)
RESPOND_ASYNC = "respond-async"


def blueprint(
    models: Models, classification: Classification, limits: RateLimits, metrics: Metrics, intake: Intake
) -> Blueprint:
    """The routes of single predictions."""
    routes = Blueprint("predict", __name__, description="Classify an abstract.")

    def answer(model: ServedModel, arguments: dict[str, Any]) -> Response:
        call, requested = current_call(), directives()
        if call.key is not None and wants_a_job():
            abstract, wishes = arguments["abstract"], {**arguments, "model": model.name}
            response = accepted(intake.submit(call.key.id, [abstract], wishes))
            response.headers["Preference-Applied"] = RESPOND_ASYNC
            return response

        def charge() -> None:
            if call.key is not None:
                limits.spend_inference(call.key, call.windows)

        found = classification.classify(model, arguments["abstract"], directives=requested, charge=charge)
        call.outcome = found.outcome
        call.timings.update(found.timings)
        metrics.answer(found.outcome, found.timings)
        return prediction_response(found, arguments, requested)

    @routes.endpoint("/api/predict/", "predict", body=PredictRequest, returns=PredictionResponse, problems=PROBLEMS)
    def predict(arguments: dict[str, Any]) -> Response:
        """Classify an abstract with the default model."""
        return answer(models.get_default(), arguments)

    @routes.endpoint(
        "/api/models/<model>/predict",
        "predict",
        body=PredictRequest,
        returns=PredictionResponse,
        problems=(UnknownModel, *PROBLEMS),
    )
    def predict_with(arguments: dict[str, Any], model: str) -> Response:
        """Classify an abstract with a named model."""
        return answer(models.get(model), arguments)

    return routes


def wants_a_job() -> bool:
    """Whether the request would rather be answered later (RFC 7240, section 4.1)."""
    prefer = request.environ.get("HTTP_PREFER")
    return prefer is not None and RESPOND_ASYNC in parse_set_header(prefer)
