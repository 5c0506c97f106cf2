"""Everything that storage raises. Driver exceptions are translated to these where they occur (`raise ... from exc`)."""

from typing import Any


class StorageError(Exception):
    """Base of all storage errors."""


class Unavailable(StorageError):
    """The store did not answer in time, refused, or its breaker is open. The operation may have taken effect."""


class Incomplete(Unavailable):
    """A part of the store did not answer. `found` has the entries that the rest gave, by key."""

    def __init__(self, message: str, found: dict[str, Any]) -> None:
        super().__init__(message)
        self.found = found


class Conflict(StorageError):
    """A replacement met another version than the one that was read, or no entry at all."""


class Corrupt(StorageError):
    """What is stored cannot be read: a damaged or foreign file, a schema from the future, bytes of the wrong form."""


class Full(StorageError):
    """There is too much of something already; nothing was stored."""


class OwnerFull(Full):
    """There is too much of something of one owner already; the message says of what, and what to do."""


class NameTaken(StorageError):
    """A client's name for a request was used before, for another one; nothing was stored."""


class KeyRejected(StorageError):
    """A presented API key does not authenticate. Never raised for an outage."""


class Malformed(KeyRejected):
    """The text has not the form of a key, or its checksum is wrong; the store was not asked."""


class Unknown(KeyRejected):
    """No such key, or the secret does not belong to it (the two are not told apart)."""


class Revoked(KeyRejected):
    """The key was genuine and has been revoked."""


class Expired(KeyRejected):
    """The key was genuine and its time is over."""


class BadOptions(ValueError):
    """A store cannot be opened so. `faults`: of each wrong option of open_backend its name and what to give instead.

    No text repeats a value: there may be secrets in it.
    """

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("; ".join(text for _, text in faults))
        self.faults = faults
