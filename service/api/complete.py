"""The OpenAPI document made whole: headers, examples, and the routes that are not the API's own."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from service.problems import CONTENT_TYPE, INTERNAL, KINDS

Document = dict[str, Any]


def _header(description: str, example: str, type: str = "string") -> Document:
    return {"description": description, "schema": {"type": type}, "example": example}


HEADERS: Final[Mapping[str, Document]] = {
    "RateLimit": _header("What is left of each limit (draft-ietf-httpapi-ratelimit-headers).", '"key";r=5999;t=42'),
    "RateLimit-Policy": _header("The limits (the same draft).", '"key";q=6000;w=60'),
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
    "WWW-Authenticate": _header("How to present a key (RFC 6750).", 'Bearer realm="abstracts"'),
}
_LIMITS: Final = ("RateLimit", "RateLimit-Policy")
_TIMED: Final = (*_LIMITS, "Server-Timing")
_PREDICTED: Final = (*_TIMED, "Cache-Status", "Age", "ETag")
_JOB: Final = (*_TIMED, "Retry-After", "Cache-Control")
_ANSWERED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("post", "/api/predict/"): _PREDICTED,
    ("post", "/api/models/{model}/predict"): _PREDICTED,
    ("post", "/api/predict/pdf"): _PREDICTED,
    ("get", "/api/predictions/{id}"): (*_PREDICTED, "Last-Modified", "Vary", "Cache-Control"),
    ("post", "/api/jobs"): (*_JOB, "Location"),
    ("get", "/api/jobs/{id}"): _JOB,
    ("delete", "/api/jobs/{id}"): _JOB,
    ("get", "/api/jobs/{id}/results"): (*_TIMED, "Cache-Control"),
}
_FAILED: Final[Mapping[HTTPStatus, tuple[str, ...]]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.FORBIDDEN: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}

_ABSTRACT: Final = (
    "We measure the mass of the top quark in proton collisions at a centre-of-mass energy of 13 TeV, in events with "
    "one lepton and at least four jets."
)
_PREDICTION: Final[Mapping[str, Any]] = {
    "id": "3f" * 32,
    "model": "arxiv-mini",
    "model_digest": "sha256:" + "9b" * 32,
    "labels": ["hep-ex", "hep-ph"],
    "predictions": [[0.981, 0.312]],
    "categories": [{"label": "hep-ex", "score": 0.981}],
    "cached": False,
}
_TAKEN_IN: Final[Mapping[str, Any]] = {
    "id": "0f4c6f5e4a2b4d0c8a1d7f3b2e9c6a51",
    "state": "running",
    "model": "arxiv-mini",
    "total": 10,
    "done": 4,
    "hits": 1,
    "misses": 3,
    "problems": 0,
    "progress": 0.4,
    "seconds_left": 0.3,
    "created_at": "2026-01-02T03:04:05+00:00",
    "started_at": "2026-01-02T03:04:06+00:00",
    "finished_at": None,
    "expires_at": "2026-01-09T03:04:05+00:00",
    "results": "/api/jobs/0f4c6f5e4a2b4d0c8a1d7f3b2e9c6a51/results",
}
_BATCH: Final[Mapping[str, Any]] = {"results": [_PREDICTION], "hits": 0, "misses": 1, "collapsed": 0, "problems": 0}
_SCHEMA_EXAMPLES: Final[Mapping[str, Any]] = {
    "PredictRequest": {"abstract": _ABSTRACT, "top_k": 3},
    "BatchRequest": {"abstracts": [_ABSTRACT]},
    "JobRequest": {"abstracts": [_ABSTRACT]},
    "PredictionResponse": _PREDICTION,
    "PdfPredictionResponse": {
        **_PREDICTION,
        "abstract": _ABSTRACT,
        "extraction": {"method": "heading", "confidence": 0.97, "page": 1},
    },
    "BatchResponse": _BATCH,
    "JobResponse": _TAKEN_IN,
}
_DIRECTIVES: Final[Document] = {
    "in": "header",
    "name": "Cache-Control",
    "schema": {"type": "string"},
    "description": "no-cache, no-store, only-if-cached, max-age=N (RFC 9111, section 5.2.1).",
}
_PREFER: Final[Document] = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "description": "respond-async makes it a job (RFC 7240, section 4.1).",
}
_CONDITION: Final[Document] = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "An ETag: 304 if the prediction still has it.",
}
_PARAMETERS: Final[Mapping[tuple[str, str], tuple[Document, ...]]] = {
    ("post", "/api/predict/"): (_DIRECTIVES, _PREFER),
    ("post", "/api/models/{model}/predict"): (_DIRECTIVES, _PREFER),
    ("post", "/api/predict/batch"): (_DIRECTIVES,),
    ("post", "/api/predict/pdf"): (_DIRECTIVES,),
    ("get", "/api/predictions/{id}"): (_CONDITION,),
}
_TEXT: Final[Document] = {"schema": {"type": "string"}}
_PAGES: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("The web page.", "text/html"),
    "/web/{name}": ("A file of the web page.", "text/css"),
    "/docs": ("This document, to be read and tried.", "text/html"),
    "/docs/{name}": ("A file of that page.", "text/css"),
    "/openapi.json": ("This document.", "application/json"),
    "/problems/{slug}": ("What a type of problem means.", "text/plain"),
}
_PAGE_EXAMPLES: Final = {"name": "style.css", "slug": "key-missing"}


def complete(document: Document) -> Document:
    """The document of flask-smorest, changed in place, with all that it cannot know."""
    document["info"]["description"] = "A score per arXiv archive for the abstract of a paper, stored once computed."
    components = document["components"]
    components["headers"] = dict(HEADERS)
    for name, example in _SCHEMA_EXAMPLES.items():
        components["schemas"][name]["example"] = example
    components["responses"].pop("DEFAULT_ERROR", None)
    for kind in (*KINDS.values(), INTERNAL):
        _add_problem(components["responses"][kind.status.name], kind)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                _finish(operation, method, path)
    document["paths"].update({path: _page(path, *about) for path, about in _PAGES.items()})
    return document


def _add_problem(response: Document, kind: Any) -> None:
    names = (*_LIMITS, *_FAILED.get(kind.status, ()))
    response["headers"] = _references(names)
    problem = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status.value}
    examples = response["content"][CONTENT_TYPE].setdefault("examples", {})
    examples[kind.slug] = {"summary": kind.title, "value": {**problem, "detail": kind.meaning}}


def _finish(operation: Document, method: str, path: str) -> None:
    responses = operation["responses"]
    responses.pop("default", None)
    names = _ANSWERED.get((method, path), _TIMED if path.startswith("/api") else ())
    for response in responses.values():
        if "$ref" not in response and names:
            response["headers"] = _references(names)
    parameters = _PARAMETERS.get((method, path), ())
    if parameters:
        operation["parameters"] = [*operation.get("parameters", []), *parameters]
    if _PREFER in parameters:
        job = {"application/json": {"schema": {"$ref": "#/components/schemas/JobResponse"}}}
        headers = _references((*_JOB, "Location", "Preference-Applied"))
        responses["202"] = {"description": "A job, as asked for by Prefer.", "headers": headers, "content": job}
        responses["422"] = {"$ref": f"#/components/responses/{HTTPStatus.UNPROCESSABLE_ENTITY.name}"}
    if _CONDITION in parameters:
        responses["304"] = {"description": "It still has this ETag.", "headers": _references(names)}
    if path in ("/livez", "/readyz"):
        state = {"type": "object", "required": ["state"], "properties": {"state": {"type": "string"}}}
        responses["200"]["content"] = {"application/json": {"schema": state}}
    if path == "/metrics":
        responses["200"]["content"] = {"text/plain": _TEXT}


def _references(names: tuple[str, ...]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _page(path: str, summary: str, media_type: str) -> Document:
    types = ("text/css", "text/javascript") if media_type == "text/css" else (media_type,)
    schema = {"type": "object"} if media_type == "application/json" else _TEXT["schema"]
    ok = {"description": summary, "headers": _references(_LIMITS), "content": {t: {"schema": schema} for t in types}}
    failures = [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR]
    page: Document = {}
    for name, example in _PAGE_EXAMPLES.items():
        if f"{{{name}}}" in path:
            failures.append(HTTPStatus.NOT_FOUND)
            schema = {"type": "string", "minLength": 1}
            page["parameters"] = [{"in": "path", "name": name, "required": True, "schema": schema, "example": example}]
    if path == "/docs/{name}":
        page["parameters"][0]["example"] = "swagger-ui.css"
    problems = {str(s.value): {"$ref": f"#/components/responses/{s.name}"} for s in failures}
    page["get"] = {"summary": summary, "tags": ["pages"], "security": [], "responses": {"200": ok, **problems}}
    return page
