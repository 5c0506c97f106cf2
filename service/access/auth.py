"""Who is asking: API keys, checked against the store and remembered for a while."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Literal

from cachetools import LRUCache

from service.errors import KeyMissing, KeyRefused, ScopeMissing
from storage.errors import Expired, KeyRejected, Malformed, Revoked, StorageError, Unavailable
from storage.records.apikeys import ApiKey, Keys

Scope = Literal["predict", "read", "admin"]

REMEMBERED_KEYS = 10_000
USE_NOTED_EVERY = 60.0
"""Seconds between two notes of a key's last use."""

_REASONS = {
    Malformed: "The API key is malformed. Send it whole, as it was shown when it was created.",
    Revoked: "The API key has been revoked. Ask the operator for another.",
    Expired: "The API key has expired. Ask the operator for another.",
}
_UNKNOWN = "The API key is not known. Ask the operator for one (flask --app wsgi keys create)."


def presented_key(authorization: str | None, x_api_key: str | None) -> str:
    """The key in `Authorization: Bearer KEY` (RFC 6750) or else in `X-API-Key: KEY`. Raises KeyMissing."""
    if authorization:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer" and credentials.strip():
            return credentials.strip()
    if x_api_key:
        return x_api_key.strip()
    raise KeyMissing("Send an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.")


def require(key: ApiKey, scope: Scope) -> None:
    """Raises ScopeMissing unless the key is for `scope`; `admin` includes the others."""
    if scope not in key.scopes and "admin" not in key.scopes:
        raise ScopeMissing(f"This API key lacks the scope `{scope}`. Use one that has it.")


@dataclass(slots=True)
class _Checked:
    key: ApiKey
    checked_at: float
    noted_at: float


class Authenticator:
    """Checks keys. Thread safe.

    While the store is up, a key is asked for again once its last check is `ttl` seconds old, so that a revocation takes
    at most that long. While it is out, a key that was in use keeps working for at least `ttl` seconds more, and any
    other raises Unavailable: not knowing a key is no reason to call it wrong.
    """

    def __init__(self, keys: Keys, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._ttl = ttl
        self._clock = clock
        self._lock = Lock()
        self._checked: LRUCache[bytes, _Checked] = LRUCache(REMEMBERED_KEYS)

    def authenticate(self, presented: str) -> ApiKey:
        """The key's record. Raises KeyRefused, saying why, or Unavailable."""
        # Looking up a hash tells nothing about the key by its timing; the secret itself is never kept.
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        now = self._clock()
        with self._lock:
            checked = self._checked.get(digest)
        if checked is None or now - checked.checked_at >= self._ttl:
            checked = self._check(presented, digest, checked, now)
        if checked.key.expires_at is not None and checked.key.expires_at <= datetime.now(UTC):
            raise KeyRefused(_REASONS[Expired])
        if now - checked.noted_at >= USE_NOTED_EVERY:
            self._note_use(checked, now)
        return checked.key

    def _check(self, presented: str, digest: bytes, before: _Checked | None, now: float) -> _Checked:
        try:
            key = self._keys.authenticate(presented)
        except Unavailable:
            # Checked within `ttl` before the outage, so within 2 `ttl` of now for the first `ttl` of the outage.
            if before is not None and now - before.checked_at < 2 * self._ttl:
                return before
            raise
        except KeyRejected as error:
            with self._lock:
                self._checked.pop(digest, None)
            raise KeyRefused(_REASONS.get(type(error), _UNKNOWN)) from error
        checked = _Checked(key, now, before.noted_at if before else now - USE_NOTED_EVERY)
        with self._lock:
            self._checked[digest] = checked
        return checked

    def _note_use(self, checked: _Checked, now: float) -> None:
        checked.noted_at = now
        try:
            self._keys.touch_used(checked.key.id, datetime.now(UTC))
        except StorageError:
            return  # counted by the guard; the next note is a minute away, and no answer depends on it
