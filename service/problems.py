"""Every error becomes application/problem+json (RFC 9457). The one place with HTTP statuses."""

import json
import logging
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from model.errors import ArtifactError, EngineError, ModelUnavailable, Overloaded, UnknownModel
from service.errors import (
    InvalidRequest,
    KeyMissing,
    KeyRefused,
    LimitExceeded,
    MalformedBody,
    NoSuchJob,
    NoSuchPrediction,
    NotReady,
    NotStored,
    ScopeMissing,
    WrongContentType,
)
from service.listings import remedy
from service.pdf.errors import (
    NotAPdf,
    PdfBusy,
    PdfDamaged,
    PdfEncrypted,
    PdfTooDemanding,
    PdfTooLarge,
    PdfWithoutAbstract,
    PdfWithoutText,
)
from storage.errors import Full, NameTaken, Unavailable

log = logging.getLogger("abstracts.problems")

CONTENT_TYPE = "application/problem+json"
STORE_RETRY_AFTER = 5
"""Seconds after which a store that is out may be back; its breaker tries about as often."""
JOBS_RETRY_AFTER = 60
"""Seconds after which there may be room for another job."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an exception type is in HTTP. `slug` names it in `type`; `meaning` is served there."""

    status: HTTPStatus
    slug: str
    title: str
    meaning: str


KINDS: dict[type[Exception], Kind] = {
    InvalidRequest: Kind(
        HTTPStatus.BAD_REQUEST,
        "invalid-request",
        "The request is not valid",
        "`errors` says for each field what to mend.",
    ),
    MalformedBody: Kind(
        HTTPStatus.BAD_REQUEST, "malformed-body", "The body cannot be read", "Send one JSON object in UTF-8."
    ),
    KeyMissing: Kind(
        HTTPStatus.UNAUTHORIZED, "key-missing", "An API key is needed", "Nothing under /api is open without a key."
    ),
    KeyRefused: Kind(
        HTTPStatus.UNAUTHORIZED,
        "key-refused",
        "The API key is refused",
        "It is malformed, unknown, revoked or expired.",
    ),
    ScopeMissing: Kind(
        HTTPStatus.FORBIDDEN, "scope-missing", "The API key is not for this", "It lacks the scope that the route needs."
    ),
    NoSuchPrediction: Kind(
        HTTPStatus.NOT_FOUND, "no-such-prediction", "There is no such prediction", "It was never stored, or is gone."
    ),
    NoSuchJob: Kind(
        HTTPStatus.NOT_FOUND, "no-such-job", "There is no such job", "It is another key's, was never made, or is gone."
    ),
    UnknownModel: Kind(
        HTTPStatus.NOT_FOUND, "unknown-model", "There is no such model", "GET /api/models lists the models."
    ),
    RequestEntityTooLarge: Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", "The body is too large", "One abstract fits in 64 KiB."
    ),
    WrongContentType: Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "wrong-content-type",
        "The body has the wrong type",
        "Send it with the Content-Type that the route takes.",
    ),
    PdfTooLarge: Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "pdf-too-large", "The PDF is too large", "A PDF may have 20 MiB."
    ),
    NotAPdf: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "not-a-pdf", "The file is not a PDF", "It is empty or of another kind."
    ),
    PdfDamaged: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "pdf-damaged", "The PDF is damaged", "Its structure cannot be read."
    ),
    PdfEncrypted: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "pdf-encrypted", "The PDF is encrypted", "It opens only with a password."
    ),
    PdfWithoutText: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "pdf-without-text",
        "The PDF has no text",
        "Its first pages are pictures, like a scan's.",
    ),
    PdfWithoutAbstract: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "pdf-without-abstract",
        "The PDF shows no abstract",
        "None was recognised on its first three pages.",
    ),
    PdfTooDemanding: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "pdf-too-demanding",
        "The PDF takes too much to read",
        "Time and memory for a PDF are limited.",
    ),
    PdfBusy: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "pdf-busy",
        "Too many PDFs are being read",
        "Retry-After says how long to wait.",
    ),
    NameTaken: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The Idempotency-Key stands for another request",
        "Send the first request again unchanged, or another key.",
    ),
    LimitExceeded: Kind(
        HTTPStatus.TOO_MANY_REQUESTS, "limit-exceeded", "A rate limit is used up", "Retry-After says how long to wait."
    ),
    Overloaded: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "The model is overloaded", "Retry-After says how long to wait."
    ),
    ModelUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "model-not-ready", "The model is not ready", "`remedy` makes it ready."
    ),
    ArtifactError: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "model-damaged", "The model is damaged", "The operator has to install it again."
    ),
    Unavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", "The store does not answer", "Try again a little later."
    ),
    Full: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "too-many-jobs", "Too many jobs wait", "Retry-After says when to try again."
    ),
    NotReady: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "The service is not ready", "No model can answer."),
    NotStored: Kind(
        HTTPStatus.GATEWAY_TIMEOUT,
        "not-stored",
        "There is no stored answer",
        "RFC 9111, section 5.2.1.7: only-if-cached.",
    ),
    EngineError: Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "engine-failed",
        "The model failed on this text",
        "The operator's log has more.",
    ),
}
INTERNAL = Kind(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "The service failed", "The log has more, under `instance`."
)

_OWN_WORDS: dict[type[Exception], str] = {
    RequestEntityTooLarge: "The body is larger than this route takes. Send less.",
    NotFound: "There is nothing at this address. GET /openapi.json lists what there is.",
    Unavailable: "The store does not answer, and this request cannot do without it. Try again a little later.",
    NameTaken: "This Idempotency-Key was sent before with another body. Send that body, or another key.",
    Full: "Too many jobs wait already. Try again a little later.",
    EngineError: "The model failed on this text. Try another; the operator's log has more.",
}


def register(app: Flask) -> None:
    """Makes every error of the app a problem."""
    app.register_error_handler(Exception, to_response)


def to_response(error: Exception) -> Response:
    """The problem that an error becomes. What the table does not know is logged and shown as an internal error."""
    if isinstance(error, RequestRedirect):
        return Response(headers=list(error.get_headers()), status=error.code)
    kind = kind_of(error)
    if kind is not None:
        return _respond(kind.status, f"/problems/{kind.slug}", kind.title, _detail(error), _members(error), error)
    if isinstance(error, HTTPException) and error.code is not None:
        return _respond(HTTPStatus(error.code), "about:blank", error.name, _detail(error), {}, error)
    instance = f"urn:uuid:{uuid.uuid4()}"
    log.exception("%s: unexpected error", instance, exc_info=error)
    detail = "The service failed unexpectedly. Tell the operator the instance, which is in the log."
    members = {"instance": instance}
    return _respond(INTERNAL.status, f"/problems/{INTERNAL.slug}", INTERNAL.title, detail, members, error)


def kind_of(error: Exception) -> Kind | None:
    """The table's entry for the nearest of the error's classes."""
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), None)


def as_object(error: Exception) -> dict[str, Any]:
    """The problem of a known error as a JSON object, for where many answers share one response."""
    kind = kind_of(error) or INTERNAL
    return _body(kind.status, f"/problems/{kind.slug}", kind.title, _detail(error), _members(error))


def _detail(error: Exception) -> str:
    for cls in type(error).__mro__:
        if cls in _OWN_WORDS:
            return _OWN_WORDS[cls]
    if isinstance(error, ModelUnavailable):
        return f"The model {error.name} is not ready: {error.reason}."
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} is not for this address. Use {', '.join(sorted(error.valid_methods or ()))}."
    if isinstance(error, ArtifactError):
        return "The model's files are incomplete or altered. The operator has to install it again."
    if isinstance(error, InvalidRequest):
        return "Mend what `errors` names and send the request again."
    if isinstance(error, HTTPException):
        return error.description or error.name
    return str(error)


def _members(error: Exception) -> dict[str, Any]:
    """Extension members."""
    if isinstance(error, InvalidRequest):
        return {"errors": error.errors}
    if isinstance(error, ModelUnavailable):
        return {"remedy": remedy(error.name, error.state, error.need)}
    if isinstance(error, NotReady):
        return dict(error.report)
    return {}


def _body(status: HTTPStatus, type_: str, title: str, detail: str, members: dict[str, Any]) -> dict[str, Any]:
    return {"type": type_, "title": title, "status": status.value, "detail": detail, **members}


def _respond(
    status: HTTPStatus, type_: str, title: str, detail: str, members: dict[str, Any], error: Exception
) -> Response:
    body = json.dumps(_body(status, type_, title, detail, members))
    response = Response(body, status=status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(_headers(error))
    return response


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, KeyMissing):
        return {"WWW-Authenticate": 'Bearer realm="abstracts"'}
    if isinstance(error, KeyRefused):
        return {"WWW-Authenticate": 'Bearer realm="abstracts", error="invalid_token"'}
    if isinstance(error, ScopeMissing):
        return {"WWW-Authenticate": 'Bearer realm="abstracts", error="insufficient_scope"'}
    if isinstance(error, LimitExceeded | PdfBusy):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, Overloaded):
        return {"Retry-After": str(max(1, round(error.retry_after)))}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(STORE_RETRY_AFTER)}
    if isinstance(error, Full):
        return {"Retry-After": str(JOBS_RETRY_AFTER)}
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(sorted(error.valid_methods or ()))}
    return {}
