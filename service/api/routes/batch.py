"""POST several abstracts, get a prediction or a problem for each."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from model.errors import ModelUnavailable, UnknownModel
from service.access.gate import current_call
from service.access.ratelimits import RateLimits
from service.api.blueprint import BODY_PROBLEMS, Blueprint
from service.api.responses import directives
from service.api.schemas import BatchResponse, PredictRequest, many_request
from service.predicting.classification import Answer, Classification
from service.predicting.models import Models
from service.predicting.outcomes import checked_abstract, render_outcome, tally
from service.telemetry.metrics import Metrics

Outcomes = Sequence[Answer | Exception]


def blueprint(
    models: Models, classification: Classification, limits: RateLimits, metrics: Metrics, *, most: int, max_body: int
) -> Blueprint:
    """The route of batches of up to `most` abstracts in at most `max_body` bytes."""
    routes = Blueprint("batch", __name__, description="Classify several abstracts at once.")
    one = PredictRequest()

    @routes.endpoint(
        "/api/predict/batch",
        "predict",
        body=many_request("BatchRequest", most),
        returns=BatchResponse,
        problems=(*BODY_PROBLEMS, ModelUnavailable, UnknownModel),
        max_body=max_body,
    )
    def batch(arguments: Mapping[str, Any]) -> Response:
        """Classify several abstracts. Each counts as a request; those that are not stored count as model runs."""
        call, name, asked = current_call(), arguments.get("model"), arguments["abstracts"]
        model = models.get_default() if name is None else models.get(name)
        if len(asked) > 1:
            age = time.perf_counter() - call.started
            call.spend(lambda key, spent: limits.spend_batch(key, spent, len(asked), age))
        checked = [checked_abstract(item, one) for item in asked]
        answers = iter(
            classification.classify_many(
                model,
                [item for item in checked if isinstance(item, str)],
                directives=directives(),
                charge=lambda: call.spend(limits.spend_inference),
            )
        )
        outcomes = [next(answers) if isinstance(item, str) else item for item in checked]
        for answer in outcomes:
            if isinstance(answer, Answer):
                metrics.answer(answer.outcome, answer.timings)
        return Response(_body(outcomes, arguments), mimetype="application/json")

    return routes


def _body(outcomes: Outcomes, arguments: Mapping[str, Any]) -> bytes:
    results = b", ".join(render_outcome(outcome, arguments) for outcome in outcomes)
    counts = ", ".join(f'"{name}": {count}' for name, count in tally(outcomes).items())
    return b'{"results": [%b], %b}' % (results, counts.encode())
