"""The web page, the OpenAPI document and what the problems mean."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from service.gate import access
from service.problems import INTERNAL, KINDS

# Nothing but the page's own two files, and requests to its own origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"index.html": "text/html", "app.js": "text/javascript", "style.css": "text/css"}


def blueprint(specification: Callable[[], Mapping[str, Any]]) -> Blueprint:
    """The routes for people. `specification` gives the OpenAPI document."""
    routes = Blueprint("web", __name__)

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


@cache
def _content(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


def _file(name: str) -> Response:
    response = Response(_content(name), mimetype=_TYPES[name])
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response
