"""POST several abstracts, get a prediction or a problem for each."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from service.access.gate import current_call
from service.api.blueprint import BODY_PROBLEMS, Blueprint
from service.api.examples import ABSTRACT, PREDICTION
from service.api.responses import CACHE_CONTROL, STRICT, directives, strict
from service.api.schemas import BatchResponse
from service.predicting.answers import Answer
from service.predicting.entries import Entry, listed_entry
from service.predicting.models import Models
from service.predicting.predictor import Predictor
from service.predicting.rendering import tally
from service.predicting.requests import many_request, render_options


def blueprint(models: Models, predictor: Predictor, *, maximum: int, max_body: int) -> Blueprint:
    """The route of batches of up to `maximum` abstracts in at most `max_body` bytes."""
    routes = Blueprint("batch", __name__, description="Classify several abstracts at once.")

    @routes.endpoint(
        "/api/predict/batch",
        "predict",
        body=many_request("BatchRequest", maximum),
        returns=BatchResponse,
        problems=(*BODY_PROBLEMS, "model-not-ready", "unknown-model"),
        max_body=max_body,
        body_example={"abstracts": [ABSTRACT]},
        example={"results": [PREDICTION], "hits": 0, "misses": 1, "collapsed": 0, "problems": 0},
        parameters=(CACHE_CONTROL, STRICT),
    )
    def predict_batch(arguments: Mapping[str, Any]) -> Response:
        """Classify several abstracts.

        The results come in the order of the abstracts; in place of one that cannot be answered stands an object with
        its `problem`. Each abstract counts as a request, and each that is not stored as a model run.
        """
        payer, asked = current_call().payer, arguments["abstracts"]
        model = models.get(arguments.get("model"))
        if payer is not None:
            payer.charge_batch(len(asked))
        current_call().model = model.name
        entries = [listed_entry(value) for value in asked]
        answers = predictor.predict(
            model,
            [entry.abstract for entry in entries],
            directives(),
            payer,
            strict=strict(),
            also=[entry.others(models, arguments.get("also", ())) for entry in entries],
        )
        return Response(_body(entries, answers, arguments), content_type="application/json")

    return routes


def _body(entries: Sequence[Entry], answers: Sequence[Answer | Exception], arguments: Mapping[str, Any]) -> bytes:
    options = render_options(arguments)
    counts = ",".join(f'"{name}":{count}' for name, count in tally(answers).items())
    results = (entry.render(answer, options) for entry, answer in zip(entries, answers, strict=True))
    return b'{"results":[%b],%b}' % (b",".join(results), counts.encode())
