"""What the service itself refuses. problems.py says what each becomes in HTTP."""

from collections.abc import Mapping, Sequence


class ServiceError(Exception):
    """Base of all errors of this package; the message may be shown to a client."""


class InvalidRequest(ServiceError):
    """A request whose form is right and whose content is not.

    `errors` has for each field the list of what is wrong with it; `_schema` stands for the whole body.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__("; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items()))


class MalformedBody(ServiceError):
    """A body that is empty or is not JSON."""


class WrongContentType(ServiceError):
    """A body of a media type that the route does not take."""


class KeyMissing(ServiceError):
    """No API key came with the request."""


class KeyRefused(ServiceError):
    """The API key is malformed, unknown, revoked or expired."""


class ScopeMissing(ServiceError):
    """The API key is good, but not for this."""


class LimitExceeded(ServiceError):
    """A rate limit is used up; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoSuchPrediction(ServiceError):
    """Nothing is stored under that id."""


class NoSuchJob(ServiceError):
    """There is no job with that id, or it belongs to another API key."""


class BrokerUnavailable(ServiceError):
    """A message could not be sent; its job waits in the store."""


class NotStored(ServiceError):
    """The client wants a stored answer or none, and there is none."""


class NotReady(ServiceError):
    """No model can answer; `report` is the readiness report."""

    def __init__(self, report: Mapping[str, object]) -> None:
        super().__init__("No model can answer.")
        self.report = report


class NotRunning(ServiceError):
    """No server runs that could be told something."""
