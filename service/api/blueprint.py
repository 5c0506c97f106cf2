"""flask-smorest's blueprint with this API's way of reading arguments."""

import functools
import json
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import flask_smorest  # type: ignore[import-untyped]
from flask import request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from service.access.gate import Access, access
from service.api.document import SECURITY, references
from service.errors import (
    InvalidRequest,
    KeyMissing,
    LimitExceeded,
    MalformedBody,
    ScopeMissing,
    WrongContentType,
)
from service.problems import KINDS
from storage.errors import Unavailable

View = TypeVar("View", bound=Callable[..., Any])

BODY_PROBLEMS = (InvalidRequest, MalformedBody, RequestEntityTooLarge, WrongContentType)
"""What can be wrong with a JSON body."""

_SHORT = 8 * 1024
_REMEMBERED = 1024
"""So many parsed bodies of at most so many bytes each route keeps."""

_GUARDS: dict[Access, tuple[type[Exception], ...]] = {"probe": (), "open": (LimitExceeded,)}
"""What the gate may raise before views that need no key."""


class Parser(FlaskParser):
    """Turns every fault in the arguments into an error of ours; unknown query parameters are faults.

    JSON bodies are read here, not by webargs, whose general way takes as long as the rest of a stored answer.
    """

    DEFAULT_VALIDATION_STATUS = KINDS[InvalidRequest].status
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  (webargs' own class attribute)

    def use_args(self, argmap: Any, *args: Any, location: str | None = None, **kwargs: Any) -> Callable[..., Any]:
        """Decorates a view to take the loaded arguments after those of its route."""
        if location != "json":
            decorate: Callable[..., Any] = super().use_args(argmap, *args, location=location, **kwargs)
            return decorate
        schema = argmap() if isinstance(argmap, type) else argmap

        def parse(body: bytes) -> Mapping[str, Any]:
            return MappingProxyType(load(schema, parse_json(body)))

        # What is in the cache has mostly been asked before in the same bytes. Errors are not remembered.
        remembered = functools.lru_cache(_REMEMBERED)(parse)

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(view)
            def wrapper(*view_args: Any, **view_kwargs: Any) -> Any:
                body = read_body()
                return view(*view_args, remembered(body) if len(body) <= _SHORT else parse(body), **view_kwargs)

            return wrapper

        return decorator

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raises InvalidRequest; webargs puts the messages under the name of the location."""
        messages = _messages(error)
        raise InvalidRequest(_flat(messages.get("query", messages))) from error


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
        returns: type[Schema] | None = None,
        problems: tuple[type[Exception], ...] = (),
        method: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
        max_body: int | None = None,
        document: Mapping[str, Any] = MappingProxyType({}),
    ) -> Callable[[View], View]:
        """Adds a route for those whom `level` names; by default a POST if it takes a body, else a GET.

        The view gets the loaded `body` or `query` first. `problems` are those that other routes do not have. `max_body`
        is the most bytes of a body where it is not the app's bound. `document` has more of the OpenAPI operation.
        """
        guards = _GUARDS.get(level, (KeyMissing, ScopeMissing, LimitExceeded, Unavailable))
        security = [] if level in _GUARDS else SECURITY
        responses = references((*problems, *guards)) | document.get("responses", {})
        documentation = [self.doc(**{**document, "responses": responses}, security=security)]
        documentation.append(self.response(status, returns))
        location = "json" if query is None else "query"
        arguments = body or query
        if arguments is not None:
            documentation.append(self.arguments(arguments, location=location))

        def add(view: View) -> View:
            documented = functools.reduce(lambda inner, decorate: decorate(inner), reversed(documentation), view)
            if arguments is not None:
                view = self.ARGUMENTS_PARSER.use_args(arguments, location=location)(view)
            # What flask-smorest wraps around a view to document it would be run with every request.
            view._apidoc = documented._apidoc  # type: ignore[attr-defined]
            if max_body is not None:
                view = _with_bound(max_body, view)
            methods = [method or ("GET" if body is None else "POST")]
            self.add_url_rule(rule, view_func=access(level)(view), methods=methods)
            return view

        return add


def _with_bound(max_body: int, view: View) -> View:
    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        request.max_content_length = max_body
        return view(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def load(schema: Schema, data: Any) -> dict[str, Any]:
    """The data that `schema` makes of a JSON value. Raises InvalidRequest."""
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        raise InvalidRequest(_flat(_messages(error))) from error
    return loaded


def read_body() -> bytes:
    """The request's body, said to be JSON. Raises WrongContentType, MalformedBody if empty, or werkzeug's 413."""
    environ = request.environ
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type and content_type != "application/json" and not request.is_json:
        raise WrongContentType("Send the body as Content-Type: application/json.")
    body = _read(environ)
    if not body or body.isspace():
        raise MalformedBody('The body is empty. Send a JSON object like {"abstract": "..."}.')
    if not content_type:
        raise WrongContentType("The body has no Content-Type. Send it as Content-Type: application/json.")
    return body


def _read(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH", "")
    if not length.isdecimal() or not 0 < int(length) <= _SHORT:
        return _read_slowly()
    body: bytes = environ["wsgi.input"].read(int(length))
    if len(body) != int(length):
        raise MalformedBody("The body is shorter than its Content-Length. Send it whole.")
    return body


def _read_slowly() -> bytes:
    """A body that is long, chunked or has a wrong length: werkzeug knows the bounds."""
    body = request.get_data(cache=False)
    # Of a chunked body that is too long werkzeug gives as much as is allowed, and no error.
    if request.content_length is None and len(body) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    return body


def parse_json(body: bytes) -> Any:
    """The JSON value in the body. Raises MalformedBody."""
    try:
        return json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not UTF-8. Encode it so (RFC 8259, section 8.1).") from error
    except RecursionError as error:
        raise MalformedBody("The JSON is nested too deeply. Send a flat object.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedBody(f"The body is not JSON: {error.msg} at {place}. Mend it there.") from error
    except ValueError as error:  # a number of thousands of digits
        raise MalformedBody("The JSON holds a number that is too long. Send a shorter one.") from error


def _messages(error: ValidationError) -> dict[str, Any]:
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return messages


def _flat(messages: Mapping[Any, Any], prefix: str = "") -> dict[str, list[str]]:
    """Messages of nested fields under names like `abstracts.3`."""
    flat: dict[str, list[str]] = {}
    for field, inner in messages.items():
        if isinstance(inner, Mapping):
            flat.update(_flat(inner, f"{prefix}{field}."))
        else:
            flat[f"{prefix}{field}"] = [str(message) for message in inner]
    return flat
