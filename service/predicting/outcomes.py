"""What became of several abstracts: each an answer or the error that it met."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from service.api.blueprint import load
from service.api.schemas import PredictRequest
from service.errors import InvalidRequest
from service.predicting.classification import Answer
from service.predicting.rendering import render
from service.problems import as_object


def checked_abstract(item: object, schema: PredictRequest) -> str | InvalidRequest:
    """An item of a list as it will be classified, or what is wrong with it."""
    try:
        text: str = load(schema, {"abstract": item})["abstract"]
    except InvalidRequest as error:
        return error
    return text


def render_outcome(outcome: Answer | Exception, wishes: Mapping[str, Any]) -> bytes:
    """An answer as a single request would get it, or an object with its `problem`."""
    if isinstance(outcome, Exception):
        return json.dumps(problem_object(outcome), ensure_ascii=False).encode()
    threshold, top_k = wishes.get("threshold"), wishes.get("top_k")
    return render(outcome.record, cached=outcome.outcome == "hit", threshold=threshold, top_k=top_k)


def problem_object(error: Exception) -> dict[str, Any]:
    """What stands in place of a prediction that there is not."""
    return {"problem": as_object(error)}


def tally(outcomes: Iterable[object]) -> dict[str, int]:
    """How many hits, misses, collapsed and problems there are; what is no answer is a problem."""
    counts = {"hits": 0, "misses": 0, "collapsed": 0, "problems": 0}
    names = {"hit": "hits", "miss": "misses", "collapsed": "collapsed"}
    for outcome in outcomes:
        counts[names[outcome.outcome] if isinstance(outcome, Answer) else "problems"] += 1
    return counts
