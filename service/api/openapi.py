"""The OpenAPI document: what all routes share. Each route describes the rest itself (blueprint.py)."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import flask_smorest  # type: ignore[import-untyped]
from flask import Flask
from flask_smorest.spec.plugins import FlaskPlugin  # type: ignore[import-untyped]
from marshmallow import Schema

from service import __version__
from service.api.schemas import RESULT, ItemProblem, ProblemSchema
from service.errors import Slug
from service.kinds import KINDS
from service.predicting.requests import EntryRequest
from service.problems import CONTENT_TYPE

JSON: Final = "application/json"
SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}]
_SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer abs_…`."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in a header."},
}
_INFO: Final = {
    "description": "A score per arXiv archive for the English abstract of a paper, stored once computed. "
    "Everything under /api needs an API key with the scope that the operation asks for, which the operator of the "
    "service gives out. Errors are problems (RFC 9457).",
    "contact": {"name": "The abstracts authors"},
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
_ANYWHERE: Final[tuple[Slug, ...]] = ("malformed-http", "too-slow", "head-too-large", "busy", "internal-error")
"""What may become of any request: what comes before all views, and what nobody foresaw."""


def _header(description: str, example: str | int) -> dict[str, Any]:
    type = "integer" if isinstance(example, int) else "string"
    return {"description": description, "schema": {"type": type}, "example": example}


HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "RateLimit": _header("What is left of each limit (draft-ietf-httpapi-ratelimit-headers).", '"key";r=5999;t=42'),
    "RateLimit-Policy": _header("The limits (the same draft).", '"key";q=6000;w=60'),
    "X-Request-ID": _header(
        "Names the request in the log: what the request sent as such, or the trace of its traceparent, or made anew.",
        "4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    "Server-Timing": _header("Milliseconds by stage.", "auth;dur=0.1, store;dur=0.2"),
    "Cache-Status": _header("What the cache did (RFC 9211).", "abstracts; hit"),
    "Age": _header("Seconds since a stored prediction was computed.", 86400),
    "ETag": _header("Names this representation of the prediction; for If-None-Match.", 'W/"3f0c"'),
    "Last-Modified": _header("When the prediction was computed.", "Sun, 06 Nov 1994 08:49:37 GMT"),
    "Vary": _header("Request headers that the answer depends on.", "Authorization, X-API-Key"),
    "Cache-Control": _header("Who may keep the answer.", "no-store"),
    "Location": _header("Address of the job.", "/api/jobs/0f4c6f5e4a2b4d0c8a1d7f3b2e9c6a51"),
    "Retry-After": _header("Seconds after which to ask again.", 2),
    "Preference-Applied": _header("The preference that was heeded (RFC 7240).", "respond-async"),
    "Accept-Encoding": _header("What a body may be encoded with.", "identity"),
    "WWW-Authenticate": _header("How to present a key (RFC 6750).", 'Bearer realm="abstracts"'),
}
NAMED: Final = ("X-Request-ID",)
LIMITED: Final = (*NAMED, "RateLimit", "RateLimit-Policy")
TIMED: Final = (*LIMITED, "Server-Timing")
PREDICTED: Final = (*TIMED, "Cache-Status", "Age", "ETag")


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's Api with problems for errors."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None


class Paths(FlaskPlugin):  # type: ignore[misc]
    """Paths without the slash at their end: it need not be sent, and generators of clients refuse it."""

    @staticmethod
    def flaskpath2openapi(path: str) -> str:
        """The path of a rule."""
        described: str = FlaskPlugin.flaskpath2openapi(path)
        return described.rstrip("/") or "/"


def make_api(app: Flask) -> Api:
    """The app's OpenAPI document, to which blueprints add their routes."""
    app.config.update(API_TITLE="abstracts", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    api = Api(app, spec_kwargs={"info": dict(_INFO), "flask_plugin": Paths()})
    components = api.spec.components
    for name, scheme in _SCHEMES.items():
        components.security_scheme(name, dict(scheme))
    for name, header in HEADERS.items():
        components.header(name, dict(header))
    components.schemas.pop("PaginationMetadata")  # flask-smorest's own, which nothing here uses
    components.schema("EntryRequest", schema=EntryRequest)
    components.schema("ItemProblem", schema=ItemProblem)
    components.schema("Result", dict(RESULT))
    for status in sorted({kind.status for kind in KINDS.values()}):
        components.response(status.name, _problem_response(status))
    return api


def operation(
    name: str,
    guards: Sequence[Slug],
    *,
    body: type[Schema] | None = None,
    query: type[Schema] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
    returns: type[Schema] | Mapping[str, Any] | None = None,
    problems: Sequence[Slug] = (),
    status: HTTPStatus = HTTPStatus.OK,
    headers: Sequence[str] | None = None,
    content_type: str = JSON,
    body_example: Mapping[str, Any] | None = None,
    example: Mapping[str, Any] | None = None,
    document: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The operation of this name: `guards` may come before it, `problems` are those that other routes do not have.

    `returns`, `status`, `headers`, `content_type` and `example` are of the answer; `document` has more of it all.
    """
    keyed = "key-missing" in guards
    usual = TIMED if keyed else LIMITED if guards else ()
    answer = {
        "description": status.phrase,
        "headers": header_references((*NAMED, *(usual if headers is None else headers))),
        "content": {content_type: _content(returns, example)},
    }
    asked = {"required": True, "content": {JSON: _content(body, body_example)}}
    return {
        "operationId": name,
        "parameters": [*([{"in": "query", "schema": query}] if query else []), *parameters],
        "security": SECURITY if keyed else [],
        **({"requestBody": asked} if body else {}),
        **document,
        "responses": {
            **({} if returns is None else {str(status.value): answer}),
            **problem_references((*problems, *guards, *_ANYWHERE)),
            **document.get("responses", {}),
        },
    }


def _content(schema: object, example: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def problem_references(slugs: Iterable[Slug]) -> dict[str, Any]:
    """The responses of an operation that may end in any of these problems."""
    statuses = {KINDS[slug].status for slug in slugs}
    return {str(status.value): {"$ref": f"#/components/responses/{status.name}"} for status in sorted(statuses)}


def header_references(names: Iterable[str]) -> dict[str, Any]:
    """References to the headers of these names."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem_response(status: HTTPStatus) -> dict[str, Any]:
    """Every problem of a status, with an example of each."""
    kinds = {slug: kind for slug, kind in KINDS.items() if kind.status == status}
    examples = {
        slug: {
            "summary": kind.title,
            "value": {"type": f"/problems/{slug}", "title": kind.title, "status": status.value, "detail": kind.detail},
        }
        for slug, kind in kinds.items()
    }
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}}
    challenge = ["WWW-Authenticate"] if any(kind.challenge is not None for kind in kinds.values()) else []
    wait = ["Retry-After"] if any(kind.retry_after is not None for kind in kinds.values()) else []
    encoding = ["Accept-Encoding"] if any(kind.accept_encoding for kind in kinds.values()) else []
    headers = header_references((*LIMITED, "Cache-Control", *challenge, *wait, *encoding))
    return {"description": status.phrase, "headers": headers, "content": content}
