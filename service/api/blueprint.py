"""flask-smorest's blueprint with this API's way of reading arguments."""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

import flask_smorest  # type: ignore[import-untyped]
from flask import Flask, Response, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from service.access.gate import Access, access
from service.api.openapi import operation
from service.errors import ServiceError, Slug
from service.input.json_text import malformed, parse_json
from service.kinds import KINDS
from service.predicting.requests import invalid, load
from service.problems import redirect

View = TypeVar("View", bound=Callable[..., Any])

BODY_PROBLEMS: Final[tuple[Slug, ...]] = (
    "invalid-request",
    "malformed-body",
    "body-too-large",
    "wrong-content-encoding",
    "wrong-content-type",
)
"""What can be wrong with a JSON body."""

_SHORT: Final = 8 * 1024
"""Bytes of a body that is read at once, without werkzeug's help."""

MAX_BODY_ATTRIBUTE: Final = "__max_body__"
"""The most bytes of a body, on views that take more or less than the app's bound."""
SERVED_ATTRIBUTE: Final = "__served__"
"""The view itself, on what flask-smorest made of it."""

_KEYED: Final[tuple[Slug, ...]] = ("key-missing", "key-refused", "limit-exceeded", "store-unavailable")
_GUARDS: Final[Mapping[Access, tuple[Slug, ...]]] = {
    "probe": (),
    "open": ("limit-exceeded",),
    "key": _KEYED,
    "read": (*_KEYED, "scope-missing"),
    "predict": (*_KEYED, "scope-missing"),
}
"""What the gate may raise before a view."""


class Parser(FlaskParser):
    """Turns every fault in the arguments into an error of ours; unknown query parameters are faults."""

    DEFAULT_VALIDATION_STATUS = KINDS["invalid-request"].status
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  (webargs' own class attribute)

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raises InvalidRequest."""
        raise invalid(error, "query") from error


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A blueprint of this API."""

    ARGUMENTS_PARSER = Parser()

    def endpoint(
        self,
        rule: str,
        level: Access,
        *,
        body: type[Schema] | None = None,
        query: type[Schema] | None = None,
        read: Callable[[bytes], Any] | None = None,
        method: str | None = None,
        max_body: int | None = None,
        parameters: Sequence[Mapping[str, Any]] = (),
        **described: Any,
    ) -> Callable[[View], View]:
        """Adds a route for those whom `level` names; by default a POST if it takes a body, else a GET.

        The view gets the loaded `body` or `query` first; with `read`, what that makes of the body's bytes, which `body`
        then only describes. `max_body` is the most bytes of a body where it is not the app's bound. `parameters` are
        those besides rule and query, and `described` what else the OpenAPI document says (`operation` in openapi.py).
        The view's name is the operationId; its docstring has summary and description.
        """

        def add(view: View) -> View:
            served = access(level)(_bounded(max_body, self._reading(view, body, query, read)))
            of_path = [parameter for parameter in parameters if parameter["in"] == "path"]
            others = [parameter for parameter in parameters if parameter not in of_path]
            guards = _GUARDS[level]
            about = operation(view.__name__, guards, body=body, query=query, parameters=others, **described)
            documented = self.doc(**about)(served)
            setattr(documented, SERVED_ATTRIBUTE, served)
            methods = [method or ("GET" if body is None else "POST")]
            self.add_url_rule(rule, view_func=documented, methods=methods, parameters=of_path)
            return view

        return add

    def _reading(
        self,
        view: Callable[..., Any],
        body: type[Schema] | None,
        query: type[Schema] | None,
        read: Callable[[bytes], Any] | None,
    ) -> Callable[..., Any]:
        """The view with its arguments read from the request."""
        if query is not None:
            view = self.ARGUMENTS_PARSER.use_args(query, location="query")(view)
        return view if body is None else _with_body(read or functools.partial(_load, body()), view)


def serve_plainly(app: Flask) -> None:
    """Lets the app call each view itself: what flask-smorest wraps around it describes it, and takes its time."""
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = getattr(view, SERVED_ATTRIBUTE, view)


def _load(schema: Schema, body: bytes) -> dict[str, Any]:
    return load(schema, parse_json(body))


def _with_body(read: Callable[[bytes], Any], view: View) -> View:
    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(read(read_body()), *args, **kwargs)

    return wrapper  # type: ignore[return-value]


def _bounded(max_body: int | None, view: View) -> View:
    if max_body is None:
        return view

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        request.max_content_length = max_body
        return view(*args, **kwargs)

    setattr(wrapper, MAX_BODY_ATTRIBUTE, max_body)
    return wrapper  # type: ignore[return-value]


def turn_away() -> Response | None:
    """Before each request: what no view is to see. Raises ServiceError `wrong-content-encoding` for a packed body."""
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "")
    if encoding and encoding.strip().lower() != "identity":
        raise ServiceError("wrong-content-encoding", "The body is compressed. Send it without Content-Encoding.")
    return redirect()


def read_body() -> bytes:
    """The request's body, said to be JSON. Raises ServiceError (its type, or empty) or werkzeug's 413."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    if content_type and content_type != "application/json" and not request.is_json:
        raise ServiceError("wrong-content-type", "Send the body as Content-Type: application/json.")
    body = _read(request.environ)
    if not body or body.isspace():
        raise malformed('The body is empty. Send a JSON object like {"abstract": "..."}.')
    if not content_type:
        message = "The body has no Content-Type. Send it as Content-Type: application/json."
        raise ServiceError("wrong-content-type", message)
    return body


def _read(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH", "")
    if not length.isdecimal() or not 0 < int(length) <= _SHORT:
        return _read_slowly()
    body: bytes = environ["wsgi.input"].read(int(length))
    if len(body) != int(length):
        raise malformed("The body is shorter than its Content-Length. Send it whole.")
    return body


def _read_slowly() -> bytes:
    """A body that is long, chunked or has a wrong length: werkzeug knows the bounds."""
    body = request.get_data(cache=False)
    # Of a chunked body that is too long werkzeug gives as much as is allowed, and no error.
    if request.content_length is None and len(body) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    return body
