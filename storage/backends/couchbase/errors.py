"""What the SDK raises, in the terms of storage.errors."""

from typing import Any, Final

from couchbase.exceptions import (  # type: ignore[import-untyped]
    AmbiguousTimeoutException,
    AuthenticationException,
    BucketNotFoundException,
    CasMismatchException,
    CollectionNotFoundException,
    CouchbaseException,
    DeltaInvalidException,
    DocumentExistsException,
    DocumentLockedException,
    DocumentNotFoundException,
    InvalidArgumentException,
    KeyValueErrorContext,
    RequestCanceledException,
    ScopeNotFoundException,
    TemporaryFailException,
    TimeoutException,
    UnAmbiguousTimeoutException,
    ValueFormatException,
)

from storage.errors import Conflict, Corrupt, StorageError, Unavailable

VALUE_TOO_LARGE: Final = 104
"""key_value_errc::value_too_large of the C++ core; the Python SDK has no exception of its own for it."""

_LIKE_ERRNO: Final = range(101, 140)
"""key_value_errc of the C++ core, which begins where Linux has the errors of its network."""

UNKNOWN_COLLECTION: Final = "key_value_collection_outdated"
"""Why the SDK retries, until the timeout, an operation on a collection that the server does not know."""

_INIT: Final = "the scope or a collection is missing: run `store init`"

_KINDS: Final[tuple[tuple[Any, type[StorageError], str], ...]] = (
    (ScopeNotFoundException, Unavailable, _INIT),
    (CollectionNotFoundException, Unavailable, _INIT),
    (AuthenticationException, Unavailable, "Couchbase refuses the user name or password"),
    (BucketNotFoundException, Unavailable, "there is no such bucket, or the user has no access to it"),
    (TemporaryFailException, Unavailable, "Couchbase answers with a temporary failure"),
    (DocumentLockedException, Unavailable, "the document is locked"),
    (UnAmbiguousTimeoutException, Unavailable, "Couchbase did not answer in time"),
    (AmbiguousTimeoutException, Unavailable, "Couchbase did not answer in time; the write may have taken effect"),
    (TimeoutException, Unavailable, "Couchbase did not answer in time"),
    (RequestCanceledException, Unavailable, "the connection closed before the answer"),
    (CasMismatchException, Conflict, "the document has changed"),
    (DocumentExistsException, Conflict, "the document exists"),
    (DocumentNotFoundException, Conflict, "the document is gone"),
    (DeltaInvalidException, Corrupt, "a value, not a counter"),
    (ValueFormatException, Corrupt, "a document of another format"),
)


def translate(exc: CouchbaseException) -> StorageError | ValueError:
    """The error to raise instead; ValueError for what the caller could not have meant to store."""
    if misnamed(exc):
        return Unavailable(f"Couchbase: {exc}")
    if exc.error_code == VALUE_TOO_LARGE:
        return ValueError("the value is larger than Couchbase takes (20 MiB)")
    if isinstance(exc, InvalidArgumentException):
        return ValueError(str(exc))
    if outdated(exc):
        return Unavailable(_INIT)
    for kind, error, text in _KINDS:
        if isinstance(exc, kind):
            return error(f"{text} ({exc.message})")
    return Unavailable(f"Couchbase: {exc}")


def while_connecting(exc: CouchbaseException) -> Unavailable:
    """The same for what went wrong before there was a connection: it says nothing of any document."""
    error = translate(exc)
    return error if isinstance(error, Unavailable) else Unavailable(f"no connection to Couchbase ({exc.message})")


def is_outage(exc: CouchbaseException) -> bool:
    """Whether the operation was not answered, as against answered by an error."""
    return isinstance(translate(exc), Unavailable)


def is_late(exc: CouchbaseException) -> bool:
    """Whether there was no answer in time."""
    return isinstance(exc, AmbiguousTimeoutException | UnAmbiguousTimeoutException | TimeoutException)


def misnamed(exc: CouchbaseException) -> bool:
    """Whether this is an error of the operating system that the SDK takes for an answer about a document.

    It looks at the number alone (4.6.3): ENETUNREACH (101) becomes DocumentNotFoundException, ECONNRESET (104) has the
    number of a value that is too large.
    """
    return exc.error_code in _LIKE_ERRNO and not isinstance(exc.error_context, KeyValueErrorContext)


def too_large(exc: CouchbaseException) -> bool:
    """Whether the server refused a document for its size."""
    return bool(exc.error_code == VALUE_TOO_LARGE) and not misnamed(exc)


def outdated(exc: CouchbaseException) -> bool:
    """Whether the server does not know the collection by the id that the connection has for it.

    It was dropped, perhaps made anew with another id. The SDK asks for the new one only after half a second, which an
    operation with a shorter timeout does not live to see: the connection is of no more use for this collection.
    """
    return UNKNOWN_COLLECTION in (getattr(exc.error_context, "retry_reasons", None) or ())
