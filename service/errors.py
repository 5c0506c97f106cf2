"""What the service itself refuses. problems.py says what each becomes in HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Slug = Literal[
    "abstract-lost",
    "body-too-large",
    "busy",
    "doubtful-abstract",
    "engine-failed",
    "file-not-supported",
    "file-not-usable",
    "head-too-large",
    "idempotency-key-reused",
    "internal-error",
    "invalid-request",
    "key-missing",
    "key-refused",
    "length-required",
    "limit-exceeded",
    "malformed-body",
    "malformed-http",
    "model-damaged",
    "model-not-ready",
    "no-such-job",
    "no-such-prediction",
    "not-a-pdf",
    "not-ready",
    "not-stored",
    "overloaded",
    "pdf-busy",
    "pdf-damaged",
    "pdf-encrypted",
    "pdf-too-demanding",
    "pdf-too-large",
    "pdf-without-abstract",
    "pdf-without-text",
    "scope-missing",
    "store-unavailable",
    "too-many-jobs",
    "too-many-open-jobs",
    "too-slow",
    "unknown-model",
    "wrong-content-encoding",
    "wrong-content-type",
]
"""Names a kind of problem: the row of the table in problems.py, and the end of the problem's `type`."""


class ServiceError(Exception):
    """Base of all errors of this package; the message may be shown to a client.

    retry_after: seconds after which a new try is sensible. members: what the problem says besides (RFC 9457, 3.2).
    """

    def __init__(
        self, slug: Slug, message: str, *, retry_after: float | None = None, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.slug: Slug = slug
        self.retry_after = retry_after
        self.members = members or {}


class InvalidRequest(ServiceError):
    """A request whose form is right and whose content is not.

    `errors` has for each field the list of what is wrong with it; `_schema` stands for the whole body.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        message = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items())
        super().__init__("invalid-request", message, members={"errors": self.errors})


class LimitExceeded(ServiceError):
    """A rate limit is used up; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__("limit-exceeded", message, retry_after=retry_after)


class BrokerUnavailable(ServiceError):
    """A message could not be sent; its job waits in the store."""

    def __init__(self, message: str) -> None:
        super().__init__("internal-error", message)


class NotServing(ServiceError):
    """The server could not be started."""

    def __init__(self, message: str) -> None:
        super().__init__("internal-error", message)


class NotRunning(ServiceError):
    """No server runs that could be told something."""

    def __init__(self, message: str) -> None:
        super().__init__("internal-error", message)
