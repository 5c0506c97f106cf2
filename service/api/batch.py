"""POST several abstracts, get a prediction or a problem for each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response

from model.errors import ModelUnavailable, UnknownModel
from service.api.answers import directives
from service.api.blueprint import BODY_PROBLEMS, Blueprint, load
from service.classification import Answer, Classification
from service.errors import InvalidRequest
from service.gate import current_call
from service.metrics import Metrics
from service.models import Models
from service.problems import as_object
from service.ratelimits import RateLimits
from service.records import render
from service.schemas import BatchResponse, PredictRequest, many_request

Outcomes = Sequence[Answer | Exception]


def blueprint(
    models: Models, classification: Classification, limits: RateLimits, metrics: Metrics, *, most: int, max_body: int
) -> Blueprint:
    """The route of batches of up to `most` abstracts in at most `max_body` bytes."""
    routes = Blueprint("batch", __name__, description="Classify several abstracts at once.")

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
            call.spend(lambda key, spent: limits.spend_key(key, spent, len(asked) - 1))
        checked = [checked_abstract(item) for item in asked]
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


def checked_abstract(item: object) -> str | InvalidRequest:
    """An item as it will be classified, or what is wrong with it."""
    try:
        text: str = load(_ONE, {"abstract": item})["abstract"]
    except InvalidRequest as error:
        return error
    return text


def render_outcome(outcome: Answer | Exception, arguments: Mapping[str, Any]) -> bytes:
    """An answer as a single request would get it, or an object with its `problem`."""
    if isinstance(outcome, Exception):
        return json.dumps({"problem": as_object(outcome)}, ensure_ascii=False).encode()
    threshold, top_k = arguments.get("threshold"), arguments.get("top_k")
    return render(outcome.record, cached=outcome.outcome == "hit", threshold=threshold, top_k=top_k)


_ONE = PredictRequest()


def _body(outcomes: Outcomes, arguments: Mapping[str, Any]) -> bytes:
    results = b", ".join(render_outcome(outcome, arguments) for outcome in outcomes)
    counts = ", ".join(f'"{name}": {count}' for name, count in tally(outcomes).items())
    return b'{"results": [%b], %b}' % (results, counts.encode())


def tally(outcomes: Iterable[Answer | Exception]) -> dict[str, int]:
    """How many hits, misses, collapsed and problems there are."""
    counts = {"hits": 0, "misses": 0, "collapsed": 0, "problems": 0}
    names = {"hit": "hits", "miss": "misses", "collapsed": "collapsed"}
    for outcome in outcomes:
        counts[names[outcome.outcome] if isinstance(outcome, Answer) else "problems"] += 1
    return counts
