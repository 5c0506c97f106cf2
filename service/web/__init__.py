"""The web page, the OpenAPI document and what the problems mean."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from service.access.gate import access
from service.problems import INTERNAL, KINDS

# Nothing but the page's own two files, and requests to its own origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The viewer of the OpenAPI document sets styles of its own.
DOCS_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_TYPES = {
    "index.html": "text/html",
    "docs.html": "text/html",
    "app.js": "text/javascript",
    "docs.js": "text/javascript",
    "style.css": "text/css",
}
_VIEWER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""Swagger UI's files, which the package flask-swagger-ui brings along."""


def blueprint(specification: Callable[[], Mapping[str, Any]]) -> Blueprint:
    """The routes for people. `specification` gives the OpenAPI document."""
    routes = Blueprint("web", __name__)
    _add_docs(routes)

    @routes.get("/")
    @access("open")
    def page() -> Response:
        return _file("index.html")

    @routes.get("/web/<name>")
    @access("open")
    def asset(name: str) -> Response:
        if name not in _TYPES:
            raise NotFound
        return _file(name)

    @routes.get("/openapi.json")
    @access("open")
    def openapi() -> Response:
        return Response(document(), mimetype="application/json")

    @routes.get("/problems/<slug>")
    @access("open")
    def problem(slug: str) -> Response:
        kind = next((kind for kind in (*KINDS.values(), INTERNAL) if kind.slug == slug), None)
        if kind is None:
            raise NotFound
        text = f"{kind.title} ({kind.status.value} {kind.status.phrase})\n\n{kind.meaning}\n"
        return Response(text, mimetype="text/plain")

    @cache
    def document() -> bytes:
        return json.dumps(specification(), indent=2).encode()

    return routes


def _add_docs(routes: Blueprint) -> None:
    @routes.get("/docs")
    @access("open")
    def docs() -> Response:
        response = _file("docs.html")
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return response

    @routes.get("/docs/<name>")
    @access("open")
    def viewer(name: str) -> Response:
        if name not in _VIEWER:
            raise NotFound
        response = _secured(Response(_viewer(name), mimetype=_VIEWER[name]))
        response.add_etag()
        response.make_conditional(request)
        return response


@cache
def _content(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


@cache
def _viewer(name: str) -> bytes:
    return files("flask_swagger_ui").joinpath("dist", name).read_bytes()


def _file(name: str) -> Response:
    return _secured(Response(_content(name), mimetype=_TYPES[name]))


def _secured(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response
