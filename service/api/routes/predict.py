"""POST an abstract, get a prediction."""

from typing import Any, Final

from flask import Response, request
from werkzeug.http import parse_set_header

from service.access.gate import current_call
from service.api.blueprint import BODY_PROBLEMS, Blueprint
from service.api.examples import ABSTRACT, JOB, PREDICTION
from service.api.openapi import PREDICTED, header_references, problem_references
from service.api.responses import CACHE_CONTROL, STRICT, directives, prediction_response, strict
from service.api.routes.jobs import IDEMPOTENCY_KEY, JOB_HEADERS, accepted
from service.api.schemas import JobResponse, PredictionResponse
from service.errors import Slug
from service.jobs.intake import Intake
from service.predicting.answers import Directives
from service.predicting.models import Models
from service.predicting.predictor import Predictor
from service.predicting.requests import Asked, PredictRequest, predict_request

RESPOND_ASYNC: Final = "respond-async"
PROBLEMS: Final[tuple[Slug, ...]] = (
    *BODY_PROBLEMS,
    *("overloaded", "model-not-ready", "engine-failed", "not-stored", "doubtful-abstract"),
)
_PREFER: Final = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "description": "respond-async makes it a job (RFC 7240, section 4.1).",
}
_AS_A_JOB: Final = {
    "202": {
        "description": "A job, as asked for by Prefer.",
        "headers": header_references((*JOB_HEADERS, "Location", "Preference-Applied")),
        "content": {"application/json": {"schema": JobResponse, "example": JOB}},
    },
    **problem_references(["idempotency-key-reused", "too-many-jobs", "too-many-open-jobs"]),
}
_ENDPOINT: Final[dict[str, Any]] = {
    "body": PredictRequest,
    "read": predict_request,
    "returns": PredictionResponse,
    "headers": PREDICTED,
    "body_example": {"abstract": ABSTRACT, "top_k": 3},
    "example": PREDICTION,
    "parameters": (CACHE_CONTROL, _PREFER, IDEMPOTENCY_KEY, STRICT),
    "document": {"responses": _AS_A_JOB},
}


def blueprint(models: Models, predictor: Predictor, intake: Intake) -> Blueprint:
    """The routes of single predictions."""
    routes = Blueprint("predict", __name__, description="Classify an abstract.")

    def answer(name: str | None, asked: Asked) -> Response:
        (abstract, options, also), model, call, requested = asked, models.get(name), current_call(), directives()
        if call.key is not None and wants_a_job(requested):
            job = {"model": model.name, "threshold": options.threshold, "top_k": options.top_k, "also": also}
            name_of_job = request.headers.get("Idempotency-Key")
            response = accepted(*intake.submit(call.key.id, [abstract.raw], job, name_of_job, call.request.id))
            response.headers["Preference-Applied"] = RESPOND_ASYNC
            return response
        others = models.several(also)
        found = predictor.predict_one(model, abstract, requested, call.payer, strict=strict(), also=others)
        return prediction_response(found, options, requested)

    @routes.endpoint("/api/predict/", "predict", problems=PROBLEMS, **_ENDPOINT)
    def predict(asked: Asked) -> Response:
        """Classify an abstract with the default model.

        The answer comes from the store if the same text was asked before, else the model runs and it is stored.
        `predictions` has the scores of all labels, `categories` those at or above the threshold.
        """
        return answer(None, asked)

    @routes.endpoint("/api/models/<model>/predict", "predict", problems=("unknown-model", *PROBLEMS), **_ENDPOINT)
    def predict_with_model(asked: Asked, model: str) -> Response:
        """Classify an abstract with a named model.

        The same as with the default one. GET /api/models lists the names.
        """
        return answer(model, asked)

    return routes


def wants_a_job(requested: Directives) -> bool:
    """Whether the request would rather be answered later (RFC 7240, section 4.1).

    A job is stored and may run the model, so it gives way to no-store and only-if-cached: a preference may be ignored.
    """
    if requested.no_store or requested.only_if_cached:
        return False
    prefer = request.environ.get("HTTP_PREFER")
    return prefer is not None and RESPOND_ASYNC in parse_set_header(prefer)
