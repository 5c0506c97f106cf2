"""The OpenAPI document: what all routes share. Each route describes the rest itself (blueprint.py)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import flask_smorest  # type: ignore[import-untyped]
from flask import Flask

from service.api.schemas import ProblemSchema
from service.errors import Slug
from service.kinds import KINDS
from service.problems import CONTENT_TYPE

SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}]
DESCRIPTION: Final = "A score per arXiv archive for the English abstract of a paper, stored once computed."


def _header(description: str, example: str, type: str = "string") -> dict[str, Any]:
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
    "Age": _header("Seconds since a stored prediction was computed.", "86400", "integer"),
    "ETag": _header("Names this representation of the prediction; for If-None-Match.", 'W/"3f0c"'),
    "Last-Modified": _header("When the prediction was computed.", "Sun, 06 Nov 1994 08:49:37 GMT"),
    "Vary": _header("Request headers that the answer depends on.", "Authorization, X-API-Key"),
    "Cache-Control": _header("Who may keep the answer.", "no-store"),
    "Location": _header("Address of the job.", "/api/jobs/0f4c6f5e4a2b4d0c8a1d7f3b2e9c6a51"),
    "Retry-After": _header("Seconds after which to ask again.", "2", "integer"),
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


def make_api(app: Flask, version: str) -> Api:
    """The app's OpenAPI document, to which blueprints add their routes."""
    app.config.update(API_TITLE="abstracts", API_VERSION=version, OPENAPI_VERSION="3.1.0")
    api = Api(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    components = api.spec.components
    components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    for name, header in HEADERS.items():
        components.header(name, dict(header))
    for status in sorted({kind.status for kind in KINDS.values()}):
        components.response(status.name, _problem_response(status))
    return api


def problem_references(slugs: Iterable[Slug]) -> dict[str, Any]:
    """The responses of an operation that may end in any of these problems, or in one that nobody foresaw."""
    statuses = {KINDS[slug].status for slug in (*slugs, "internal-error")}
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
