"""The web page, the OpenAPI document and what the problems mean."""

import json
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, Final, cast

from flask import Response, request
from werkzeug.exceptions import NotFound

from service.access.prefix import root
from service.api.blueprint import Blueprint
from service.api.openapi import LIMITED, header_references
from service.errors import Slug
from service.kinds import KINDS

# Nothing but the page's own files, and requests to its own origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The viewer of the OpenAPI document sets styles of its own.
DOCS_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_TYPES: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
_VIEWER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""Swagger UI's files, which the package flask-swagger-ui brings along."""

PREFIXES: Final = 8
"""How many documents are kept, one for each prefix under which a proxy has the service."""

_ABSENT: Final = {"404": {"$ref": "#/components/responses/NOT_FOUND"}}
_TEXT: Final = {"schema": {"type": "string"}}
_HTML: Final[dict[str, Any]] = {
    "returns": {"type": "string"},
    "content_type": "text/html",
    "headers": (*LIMITED, "ETag"),
}
_PLAIN: Final[dict[str, Any]] = {
    "returns": {"type": "string"},
    "content_type": "text/plain",
    "document": {"responses": _ABSENT},
}
_ASSET: Final[dict[str, Any]] = {
    "document": {
        "responses": {
            "200": {
                "description": "The file.",
                "headers": header_references((*LIMITED, "ETag")),
                "content": {"text/css": _TEXT, "text/javascript": _TEXT},
            },
            **_ABSENT,
        }
    },
}


def blueprint(specification: Callable[[], Mapping[str, Any]]) -> Blueprint:
    """The routes for people. `specification` gives the OpenAPI document."""
    routes = Blueprint("web", __name__, description="The web page, and what documents the API.")
    _add_docs(routes)

    @routes.endpoint("/", "open", **_HTML)
    def get_page() -> Response:
        """The web page.

        For people: abstracts, papers and lists, with a key.
        """
        return _file("index.html")

    @routes.endpoint("/web/<name>", "open", parameters=_named("style.css"), **_ASSET)
    def get_page_file(name: str) -> Response:
        """A file of the web page.

        Its style or one of its scripts.
        """
        if _TYPES.get(_suffix(name)) == "text/html":
            raise NotFound
        return _file(name)

    @routes.endpoint("/openapi.json", "open", returns={"type": "object"})
    def get_openapi() -> Response:
        """This document.

        OpenAPI 3.1, for generators of clients and for tools.
        """
        return Response(document(root()), mimetype="application/json")

    @routes.endpoint("/problems/<slug>", "open", parameters=_named("key-missing", "slug"), **_PLAIN)
    def get_problem_type(slug: str) -> Response:
        """What a type of problem means.

        The `type` of every problem leads here.
        """
        kind = KINDS.get(cast(Slug, slug))
        if kind is None:
            raise NotFound
        text = f"{kind.title} ({kind.status.value} {kind.status.phrase})\n\n{kind.detail}\n"
        return Response(text, mimetype="text/plain")

    @lru_cache(PREFIXES)
    def document(root: str) -> bytes:
        return json.dumps({**specification(), "servers": [{"url": root or "/"}]}, indent=2).encode()

    return routes


def _add_docs(routes: Blueprint) -> None:
    @routes.endpoint("/docs", "open", **_HTML)
    def get_docs() -> Response:
        """This document, to be read and tried.

        Swagger UI, which needs nothing from elsewhere.
        """
        if request.path.endswith("/"):  # from where its links would lead elsewhere
            return Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": f"{root()}/docs"})
        response = _file("docs.html")
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return response

    @routes.endpoint("/docs/<name>", "open", parameters=_named("swagger-ui.css"), **_ASSET)
    def get_docs_file(name: str) -> Response:
        """A file of that page.

        Its style or one of its scripts.
        """
        if name not in _VIEWER:
            raise NotFound
        return _secured(Response(_viewer(name), mimetype=_VIEWER[name]))


def _named(example: str, name: str = "name") -> tuple[Mapping[str, Any], ...]:
    schema = {"type": "string", "minLength": 1}
    return ({"in": "path", "name": name, "required": True, "schema": schema, "example": example},)


@cache
def _contents() -> Mapping[str, bytes]:
    """The page's files by name: the documents and sheets here, and its modules."""
    found = [entry for folder in (".", "scripts") for entry in files(__package__).joinpath(folder).iterdir()]
    return {entry.name: entry.read_bytes() for entry in found if _suffix(entry.name) in _TYPES}


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix


@cache
def _viewer(name: str) -> bytes:
    return files("flask_swagger_ui").joinpath("dist", name).read_bytes()


def _file(name: str) -> Response:
    if name not in _contents():
        raise NotFound
    return _secured(Response(_contents()[name], mimetype=_TYPES[_suffix(name)]))


def _secured(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response
