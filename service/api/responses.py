"""Predictions as HTTP responses: body, validators and what the cache did."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request
from werkzeug.datastructures import Headers

from service.predicting.classification import NO_DIRECTIVES, Answer, Directives
from service.predicting.rendering import Record, render

_CACHE_STATUS = {
    ("hit", True): "abstracts; hit",
    ("miss", True): "abstracts; fwd=uri-miss; stored",
    ("miss", False): "abstracts; fwd=uri-miss",
    ("collapsed", True): "abstracts; fwd=uri-miss; stored; collapsed",
    ("collapsed", False): "abstracts; fwd=uri-miss; collapsed",
}
"""Cache-Status (RFC 9211) by outcome and whether the store has the prediction."""


def directives() -> Directives:
    """What the request's Cache-Control asks for."""
    if "HTTP_CACHE_CONTROL" not in request.environ:
        return NO_DIRECTIVES
    asked = request.cache_control
    return Directives(bool(asked.no_cache), bool(asked.no_store), bool(asked.only_if_cached), asked.max_age)


class ReadyResponse(Response):
    """A response whose body and headers are complete: werkzeug need not look them over again.

    It goes to the server as a list, which servers send at once, rather than as an iterator.
    """

    def __init__(self, body: bytes, headers: list[tuple[str, str]]) -> None:
        length = ("Content-Length", str(len(body)))
        super().__init__([body], headers=_OwnHeaders([("Content-Type", "application/json"), length, *headers]))

    def get_wsgi_response(self, environ: Any) -> tuple[Any, str, list[tuple[str, str]]]:  # noqa: ARG002
        """Called by the server's side of werkzeug. Not for HEAD: this is no answer to a GET."""
        return self.response, self.status, self.headers.to_wsgi_list()


class _OwnHeaders(Headers):
    """Headers from pairs that are known to be well formed, taken as they are."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._list = pairs


def prediction_response(
    answer: Answer,
    arguments: Mapping[str, Any],
    requested: Directives = NO_DIRECTIVES,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The response to a POST, with `more` members of its object. Its ETag is that of the stored prediction."""
    threshold, top_k = arguments.get("threshold"), arguments.get("top_k")
    body = render(answer.record, cached=answer.outcome == "hit", threshold=threshold, top_k=top_k)
    if more:
        body = extended(body, more)
    status = _CACHE_STATUS[answer.outcome, answer.stored]
    if requested.no_cache:
        status = status.replace("fwd=uri-miss", "fwd=request")
    headers = [("Cache-Status", status), ("ETag", etag(answer.record, threshold, top_k))]
    if answer.outcome == "hit":
        headers.append(("Age", str(int(answer.age))))
    return ReadyResponse(body, headers)


def extended(body: bytes, more: Mapping[str, Any]) -> bytes:
    """A rendered JSON object that is not empty, with more members."""
    return body[:-1] + b", " + json.dumps(more, ensure_ascii=False)[1:].encode()


def etag(record: Record, threshold: float | None, top_k: int | None) -> str:
    """A weak validator: the scores never change under an id, `cached` may differ."""
    return f'W/"{record.id}{_query(threshold, top_k)}"'


def _query(threshold: float | None, top_k: int | None) -> str:
    if threshold is None and top_k is None:
        return ""
    chosen = {"threshold": threshold, "top_k": top_k}
    return "?" + "&".join(f"{name}={value}" for name, value in chosen.items() if value is not None)
