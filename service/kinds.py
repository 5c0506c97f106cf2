"""The kinds of problems (RFC 9457) that this service answers with: the one place with HTTP statuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from service.errors import Slug


@dataclass(frozen=True, slots=True)
class Kind:
    """What an error is in HTTP. `cause` and `remedy` are served under the problem's type and stand in the docs.

    private: an error's own message is not for clients. retry_after: seconds after which a new try is sensible, where
    the error names none; None if a new try is not. challenge: the end of WWW-Authenticate (RFC 6750). accept_encoding:
    what a body may be encoded with (RFC 9110, section 12.5.3).
    """

    status: HTTPStatus
    title: str
    cause: str
    remedy: str
    private: bool = False
    retry_after: int | None = None
    challenge: str | None = None
    accept_encoding: str | None = None

    @property
    def detail(self) -> str:
        """What is said where an error's own message is not."""
        return f"{self.cause} {self.remedy}"


_BAD = HTTPStatus.BAD_REQUEST
_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_TYPE = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
_UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE
_FAILED = HTTPStatus.INTERNAL_SERVER_ERROR
_WAIT = "Wait as many seconds as Retry-After says, then send it again."

KINDS: Final[Mapping[Slug, Kind]] = {
    "invalid-request": Kind(
        _BAD,
        "The request is not valid",
        "A field or parameter is missing, unknown or wrong.",
        "Correct what `errors` names and send the request again.",
        private=True,
    ),
    "malformed-http": Kind(
        _BAD,
        "This is no proper HTTP/1.1 request",
        "The request line, a header or the framing of the body is not as RFC 9112 has it, so that two readers could "
        "understand it differently, or it is of another protocol.",
        "Use an HTTP library, and http:// where no proxy adds TLS.",
        private=True,
    ),
    "head-too-large": Kind(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The address and headers are too large",
        "Address and headers may have 64 KiB together.",
        "Send less, cookies of other services for instance.",
        private=True,
    ),
    "too-slow": Kind(
        HTTPStatus.REQUEST_TIMEOUT,
        "The request did not arrive in time",
        "A request's head has 30 seconds, and so has each further KiB of its body.",
        "Send it again, over a better connection.",
        private=True,
    ),
    "malformed-body": Kind(_BAD, "The body cannot be read", "It is no JSON object.", "Send one JSON object in UTF-8."),
    "key-missing": Kind(
        HTTPStatus.UNAUTHORIZED,
        "An API key is needed",
        "Nothing under /api is open without a key.",
        "Send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`; `abstracts keys create` makes one.",
        challenge="",
    ),
    "key-refused": Kind(
        HTTPStatus.UNAUTHORIZED,
        "The API key is refused",
        "It is malformed, unknown, revoked or expired.",
        "Check that it was copied whole, and ask the operator for another.",
        challenge=', error="invalid_token"',
    ),
    "scope-missing": Kind(
        HTTPStatus.FORBIDDEN,
        "The API key is not for this",
        "It lacks the scope that the route needs: `predict` to POST and for jobs, `read` to GET.",
        "Use a key that has it, or have the operator add it with `abstracts keys update`.",
        challenge=', error="insufficient_scope"',
    ),
    "no-such-prediction": Kind(
        HTTPStatus.NOT_FOUND,
        "There is no such prediction",
        "It was never stored, has expired or was deleted.",
        "POST the abstract again.",
    ),
    "no-such-job": Kind(
        HTTPStatus.NOT_FOUND,
        "There is no such job",
        "It is another key's, was never made, or is older than jobs are kept.",
        "GET /api/jobs lists your own.",
    ),
    "unknown-model": Kind(
        HTTPStatus.NOT_FOUND,
        "There is no such model",
        "Nothing by this name is known here.",
        "GET /api/models lists the models.",
    ),
    "doubtful-abstract": Kind(
        _UNPROCESSABLE,
        "The scores would mean little",
        "The text is not English, no abstract, or unlike any: `warnings` has codes.",
        "Send an abstract in English; without `strict` it gets scores all the same.",
    ),
    "body-too-large": Kind(
        _LARGE,
        "The body is too large",
        "The body is larger than this route takes: 64 KiB for one abstract.",
        "Send less, or several abstracts as a batch or a job.",
        private=True,
    ),
    "wrong-content-type": Kind(
        _TYPE,
        "The body has the wrong type",
        "The route does not take this Content-Type, or none was sent.",
        "Send the Content-Type that the route takes: application/json unless its description says otherwise.",
    ),
    "wrong-content-encoding": Kind(
        _TYPE,
        "The body is compressed",
        "It came with a Content-Encoding.",
        "Send it as it is, without Content-Encoding.",
        accept_encoding="identity",
    ),
    "file-not-supported": Kind(
        _TYPE,
        "Files of this form are not read",
        "`detail` says what it is.",
        "`detail` says what to send in its place.",
    ),
    "file-not-usable": Kind(
        _UNPROCESSABLE,
        "There is nothing in the file that can be used",
        "`detail` says why.",
        "`detail` says what to do.",
    ),
    "pdf-too-large": Kind(
        _LARGE, "The PDF is too large", "A PDF may have 20 MiB.", "Send its first pages, or the abstract as text."
    ),
    "not-a-pdf": Kind(
        _UNPROCESSABLE,
        "The file is not a PDF",
        "It is empty or of another kind.",
        "Send a PDF; files of other kinds go to POST /api/jobs.",
    ),
    "pdf-damaged": Kind(
        _UNPROCESSABLE,
        "The PDF is damaged",
        "Its structure cannot be read.",
        "Get it again, or send the abstract as text.",
    ),
    "pdf-encrypted": Kind(
        _UNPROCESSABLE,
        "The PDF is encrypted",
        "It opens only with a password.",
        "Save it without one, or send the abstract as text.",
    ),
    "pdf-without-text": Kind(
        _UNPROCESSABLE,
        "The PDF has no text",
        "Its first pages are pictures, like a scan's.",
        "Send the abstract as text, or a PDF with recognised text.",
    ),
    "pdf-without-abstract": Kind(
        _UNPROCESSABLE,
        "The PDF shows no abstract",
        "None was recognised on its first pages.",
        "Send the abstract as text.",
    ),
    "pdf-too-demanding": Kind(
        _UNPROCESSABLE,
        "The PDF takes too much to read",
        "Time and memory for a PDF are limited.",
        "Send its first pages, or the abstract as text.",
    ),
    "pdf-busy": Kind(
        _UNAVAILABLE, "Too many PDFs are being read", "This key's share of the readers is taken.", _WAIT, retry_after=10
    ),
    "idempotency-key-reused": Kind(
        _UNPROCESSABLE,
        "The Idempotency-Key stands for another request",
        "This Idempotency-Key was sent before with another body.",
        "Send that body, or another key.",
        private=True,
    ),
    "limit-exceeded": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "A rate limit is used up",
        "`RateLimit-Policy` and `RateLimit` say which.",
        _WAIT,
        retry_after=1,
    ),
    "busy": Kind(
        _UNAVAILABLE,
        "The server is busy",
        "Too many requests wait, or too much is being sent.",
        _WAIT,
        private=True,
        retry_after=1,
    ),
    "overloaded": Kind(
        _UNAVAILABLE,
        "The model is overloaded",
        "Too many texts wait for it, or one waited too long.",
        _WAIT,
        retry_after=1,
    ),
    "model-not-ready": Kind(
        _UNAVAILABLE,
        "The model is not ready",
        "Its files are not installed, or have been replaced since they were checked.",
        "`remedy` has the operator's command that makes it ready.",
    ),
    "model-damaged": Kind(
        _UNAVAILABLE,
        "The model is damaged",
        "The model's files are incomplete or altered.",
        "The operator has to install it again.",
        private=True,
    ),
    "store-unavailable": Kind(
        _UNAVAILABLE,
        "The store does not answer",
        "The store does not answer, and this request cannot do without it.",
        "Try again a little later; the operator sees why with `abstracts store check`.",
        private=True,
        retry_after=5,
    ),
    "too-many-jobs": Kind(
        _UNAVAILABLE, "Too many jobs wait", "Too many jobs wait already.", _WAIT, private=True, retry_after=60
    ),
    "too-many-open-jobs": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many jobs of this key are open",
        "A key may have so many at a time (ABSTRACTS_JOB_OPEN_MAX).",
        "Wait until one is over, cancel one, or put more abstracts into each.",
        retry_after=60,
    ),
    "length-required": Kind(
        HTTPStatus.LENGTH_REQUIRED,
        "The length of the body is not known",
        "A body that was cut off could not be told from a whole one.",
        "Send Content-Length.",
    ),
    "abstract-lost": Kind(_FAILED, "The abstract is lost", "The store does not have it any more.", "Send it again."),
    "not-ready": Kind(
        _UNAVAILABLE,
        "The service is not ready",
        "No model can answer.",
        "The operator sees why with `abstracts config check`.",
    ),
    "not-stored": Kind(
        HTTPStatus.GATEWAY_TIMEOUT,
        "There is no stored answer",
        "The request said only-if-cached (RFC 9111, section 5.2.1.7).",
        "Send it without.",
    ),
    "engine-failed": Kind(
        _FAILED,
        "The model failed on this text",
        "The model failed on this text.",
        "Try another; the operator's log has more.",
        private=True,
    ),
    "internal-error": Kind(
        _FAILED,
        "The service failed",
        "The service failed unexpectedly.",
        "Tell the operator the `instance`, under which the log has more.",
        private=True,
    ),
}
