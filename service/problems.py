"""Every error becomes application/problem+json (RFC 9457), of a kind from the table in service.kinds."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from model.errors import ArtifactError, EngineError, ModelUnavailable, Overloaded, UnknownModel
from service.access.prefix import root
from service.errors import ServiceError, Slug
from service.kinds import KINDS
from service.listings import remedy
from service.telemetry.request_ids import new_id, noted, urn
from storage.errors import Full, NameTaken, OwnerFull, StorageError, Unavailable

log = logging.getLogger("abstracts.problems")

CONTENT_TYPE: Final = "application/problem+json"


FOREIGN: Final[Mapping[type[Exception], Slug]] = {
    RequestEntityTooLarge: "body-too-large",
    UnknownModel: "unknown-model",
    ModelUnavailable: "model-not-ready",
    ArtifactError: "model-damaged",
    EngineError: "engine-failed",
    Overloaded: "overloaded",
    StorageError: "store-unavailable",
    NameTaken: "idempotency-key-reused",
    Full: "too-many-jobs",
    OwnerFull: "too-many-open-jobs",
}
"""What errors of other packages are here."""

_NOTHING_HERE = "There is nothing at this address. GET /openapi.json lists what there is."


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a client sees it."""

    status: HTTPStatus
    type: str
    title: str
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, root: str, request_id: str = "") -> dict[str, Any]:
        """The JSON object, for a client whose addresses begin with `root`; `request_id` is that of its request."""
        kind = root + self.type if self.type.startswith("/") else self.type
        about = {"type": kind, "title": self.title, "status": self.status.value, "detail": self.detail}
        instance = {"instance": urn(request_id)} if request_id else {}
        return {**about, **instance, **self.members}


def register(app: Flask) -> None:
    """Makes every error of the app a problem."""
    app.register_error_handler(Exception, to_response)
    app.register_error_handler(HTTPException, to_response)


def to_response(error: Exception) -> Response:
    """The response that an error becomes."""
    problem = describe(error)
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(json.dumps(problem.body(root(), noted())), problem.status, headers, content_type=CONTENT_TYPE)


def redirect() -> Response | None:
    """Before each request: the redirect to its tidy address, if it has another (`/api//models`).

    werkzeug's own names the host, which is whatever the client says it is.
    """
    error = request.routing_exception
    if not isinstance(error, RequestRedirect):
        return None
    parts = urlsplit(error.new_url)
    location = urlunsplit(("", "", "/" + parts.path.lstrip("/"), parts.query, ""))
    return Response(headers={"Location": location, "Cache-Control": "no-store"}, status=error.code)


def describe(error: Exception) -> Problem:
    """The problem that an error is. What the table does not know is logged and shown as an internal error."""
    slug = slug_of(error)
    if slug == "store-unavailable" and not isinstance(error, Unavailable):
        log.error("what is stored cannot be used: %s", error)
    if slug is not None:
        return _from_table(slug, error)
    if isinstance(error, HTTPException) and error.code is not None:
        return _from_werkzeug(error, HTTPStatus(error.code))
    instance = urn(noted() or new_id())
    log.error("%s: unexpected error", instance, exc_info=error)
    kind = KINDS["internal-error"]
    return Problem(kind.status, "/problems/internal-error", kind.title, kind.detail, {"instance": instance})


def slug_of(error: Exception) -> Slug | None:
    """The kind of an error, or None if nobody foresaw it."""
    if isinstance(error, ServiceError):
        return error.slug
    return next((FOREIGN[cls] for cls in type(error).__mro__ if cls in FOREIGN), None)


def _from_table(slug: Slug, error: Exception) -> Problem:
    kind = KINDS[slug]
    members = getattr(error, "members", {})
    detail = kind.detail if kind.private else str(error) or kind.detail
    if isinstance(error, ModelUnavailable):
        detail = f"The model {error.name} is not ready: {error.reason}."
        members = {"remedy": remedy(error.name, error.state, error.need)}
    headers = {}
    retry_after = getattr(error, "retry_after", None) or kind.retry_after
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, round(retry_after)))
    if kind.challenge is not None:
        headers["WWW-Authenticate"] = f'Bearer realm="abstracts"{kind.challenge}'
    if kind.accept_encoding is not None:
        headers["Accept-Encoding"] = kind.accept_encoding
    return Problem(kind.status, f"/problems/{slug}", kind.title, detail, members, headers)


def _from_werkzeug(error: HTTPException, status: HTTPStatus) -> Problem:
    detail = _NOTHING_HERE if isinstance(error, NotFound) else error.description or error.name
    headers = {}
    if isinstance(error, MethodNotAllowed):
        methods = ", ".join(sorted(error.valid_methods or ()))
        detail = f"{request.method} is not for this address. Use {methods}."
        headers["Allow"] = methods
    return Problem(status, "about:blank", error.name, detail, headers=headers)
