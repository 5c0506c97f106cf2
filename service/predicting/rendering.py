"""Answers as the JSON objects that clients get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec

from service.access.prefix import root
from service.predicting.answers import Answer, told
from service.problems import describe
from storage.records.predictions import Prediction


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How scores are turned into categories. threshold None: the model's own. top_k None: all at or above it."""

    threshold: float | None = None
    top_k: int | None = None


DEFAULT_OPTIONS = RenderOptions()


class _Category(msgspec.Struct):
    label: str
    score: float


class _Body(msgspec.Struct):
    id: str
    model: str
    model_digest: str
    labels: tuple[str, ...]
    predictions: tuple[tuple[float, ...]]
    categories: list[_Category]
    cached: bool


_encode = msgspec.json.Encoder().encode


def render(answer: Answer, options: RenderOptions = DEFAULT_OPTIONS, more: Mapping[str, Any] | None = None) -> bytes:
    """The response body: all scores, and the categories at or above the threshold, best first, at most `top_k`.

    `more` are members that only this answer has. Answers of further models follow as `also`, as they would be alone.
    """
    model, prediction = answer.model, answer.prediction
    members = {**_members(prediction), **(more or {})}
    threshold = model.threshold if options.threshold is None else options.threshold
    ranked = zip(prediction.scores, model.labels, strict=True)
    chosen = sorted((pair for pair in ranked if pair[0] >= threshold), key=itemgetter(0), reverse=True)
    body = _encode(
        _Body(
            prediction.id,
            prediction.model,
            prediction.digest,
            model.labels,
            (prediction.scores,),
            [_Category(label, score) for score, label in chosen[: options.top_k]],
            answer.outcome == "hit",
        )
    )
    if members:
        body = body[:-1] + b"," + _encode(members)[1:]
    if answer.also:
        body = b'%b,"also":[%b]}' % (body[:-1], b",".join(render_item(item, options) for item in answer.also))
    return body


def _members(prediction: Prediction) -> dict[str, Any]:
    """What is said only of a text that the model read in part, or whose scores mean little."""
    members: dict[str, Any] = {}
    if prediction.tokens is not None and prediction.tokens != prediction.tokens_read:
        members = {"truncated": True, "tokens": prediction.tokens, "tokens_read": prediction.tokens_read}
    if prediction.warnings:
        members["warnings"] = told(prediction.warnings)
    return members


def render_item(
    item: Answer | Exception,
    options: RenderOptions,
    more: Mapping[str, Any] | None = None,
    place: Mapping[str, Any] | None = None,
) -> bytes:
    """An answer of several as a single request would get it, or an object with its `problem`, which names its `place`.

    `more` are members that only this one has.
    """
    if isinstance(item, Exception):
        return _encode({"problem": {**describe(item).body(root()), **(place or {})}, **(more or {})})
    return render(item, options, more)


def tally(items: Sequence[object]) -> dict[str, int]:
    """How many hits, misses, collapsed and problems there are; what is no answer is a problem."""
    outcomes = [item.outcome if isinstance(item, Answer) else "problem" for item in items]
    names = {"hits": "hit", "misses": "miss", "collapsed": "collapsed", "problems": "problem"}
    return {name: outcomes.count(outcome) for name, outcome in names.items()}
