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
    if too_large(exc):
        return ValueError("the value is larger than Couchbase takes (20 MiB)")
    if isinstance(exc, InvalidArgumentException):
        return ValueError(str(exc))
    if outdated(exc):
        return Unavailable(_INIT)
    for kind, error, text in _KINDS:
        if isinstance(exc, kind):
            return error(f"{text} ({exc.message})")
    return Unavailable(f"Couchbase: {exc}")


def too_large(exc: CouchbaseException) -> bool:
    """Whether the server refused a document for its size."""
    return bool(exc.error_code == VALUE_TOO_LARGE)


def outdated(exc: CouchbaseException) -> bool:
    """Whether the server does not know the collection by the id that the connection has for it.

    It was dropped, perhaps made anew with another id. The SDK asks for the new one only after half a second, which an
    operation with a shorter timeout does not live to see: the connection is of no more use for this collection.
    """
    return UNKNOWN_COLLECTION in (getattr(exc.error_context, "retry_reasons", None) or ())
