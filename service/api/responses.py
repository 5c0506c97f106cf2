"""Answers as HTTP responses: body, validators and what the cache did."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request

from service.access.gate import current_call
from service.errors import InvalidRequest
from service.predicting.answers import NO_DIRECTIVES, Answer, Directives
from service.predicting.rendering import RenderOptions, render

CONTENT_TYPE: Final = "application/json"
_CACHE_STATUS: Final = {
    ("hit", True): "abstracts; hit",
    ("miss", True): "abstracts; fwd=uri-miss; stored",
    ("miss", False): "abstracts; fwd=uri-miss",
    ("collapsed", True): "abstracts; fwd=uri-miss; stored; collapsed",
    ("collapsed", False): "abstracts; fwd=uri-miss; collapsed",
}
"""Cache-Status (RFC 9211) by outcome and whether the store has the prediction."""

ASK_AGAIN: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}
"""For what may change and is a key's own."""

CACHE_CONTROL: Final = {
    "in": "header",
    "name": "Cache-Control",
    "schema": {"type": "string"},
    "description": "no-cache, no-store, only-if-cached, max-age=N (RFC 9111, section 5.2.1).",
}
"""The request header, for the OpenAPI document."""


STRICT: Final = {
    "in": "query",
    "name": "strict",
    "schema": {"type": "boolean", "default": False},
    "description": "A problem instead of an answer with warnings.",
}
"""The parameter, for the OpenAPI document."""


def strict() -> bool:
    """Whether an answer with warnings is to be a problem. Raises InvalidRequest."""
    if not request.environ["QUERY_STRING"]:
        return False  # without werkzeug's parsing, which takes a twentieth of the time of a stored answer
    asked = request.args.get("strict", "false").lower()
    if asked not in ("true", "false", "1", "0"):
        raise InvalidRequest({"strict": ["Send true or false, or leave it out."]})
    return asked in ("true", "1")


def directives() -> Directives:
    """What the request's Cache-Control asks for."""
    if "HTTP_CACHE_CONTROL" not in request.environ:
        return NO_DIRECTIVES
    asked = request.cache_control
    return Directives(bool(asked.no_cache), bool(asked.no_store), bool(asked.only_if_cached), asked.max_age)


def prediction_response(
    answer: Answer,
    options: RenderOptions,
    requested: Directives = NO_DIRECTIVES,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The response to a POST, with `more` members of its object. Its ETag is that of the stored prediction."""
    as_one = answer.as_one()
    current_call().answered(answer.model.name, as_one.outcome, as_one.timings)
    headers = answer_headers(answer, options, requested)
    return Response(render(answer, options, more), headers=headers, content_type=CONTENT_TYPE)


def answer_headers(
    answer: Answer, options: RenderOptions, requested: Directives = NO_DIRECTIVES
) -> list[tuple[str, str]]:
    """What the response says about where the answer came from, and those of further models with it.

    With such there is no ETag: it would name the first prediction alone.
    """
    as_one = answer.as_one()
    status = _CACHE_STATUS[as_one.outcome, as_one.stored]
    if requested.no_cache:
        status = status.replace("fwd=uri-miss", "fwd=request")
    headers = [("Cache-Status", status)] if answer.also else [("Cache-Status", status), ("ETag", etag(answer, options))]
    if as_one.outcome == "hit":
        headers.append(("Age", str(int(as_one.age))))
    return headers


def etag(answer: Answer, options: RenderOptions) -> str:
    """A weak validator: the scores never change under an id, `cached` may differ."""
    chosen = {"threshold": options.threshold, "top_k": options.top_k}
    query = "&".join(f"{name}={value}" for name, value in chosen.items() if value is not None)
    return f'W/"{answer.prediction.id}?{query}"' if query else f'W/"{answer.prediction.id}"'
