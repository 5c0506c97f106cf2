"""Who is asking: API keys, checked against the store and remembered for a while."""

import hashlib
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Literal

from cachetools import LRUCache

from service.errors import ServiceError
from storage.deadline import essential
from storage.errors import Expired, KeyRejected, Malformed, Revoked, Unavailable
from storage.records.apikeys import ApiKey, Keys

Scope = Literal["predict", "read"]

REMEMBERED_KEYS = 10_000
ASK_AGAIN_AFTER = 5.0
"""Seconds for which a store that did not answer is not asked for the same key again."""

_REASONS = {
    Malformed: "The API key is malformed. Send it whole, as it was shown when it was created.",
    Revoked: "The API key has been revoked. Ask the operator for another.",
    Expired: "The API key has expired. Ask the operator for another.",
}
_UNKNOWN = "The API key is not known. Ask the operator for one (abstracts keys create)."


def presented_key(authorization: str | None, x_api_key: str | None) -> str:
    """The key in `Authorization: Bearer KEY` (RFC 6750) or else in `X-API-Key: KEY`. Raises ServiceError."""
    if authorization:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer" and credentials.strip():
            return credentials.strip()
    if x_api_key:
        return x_api_key.strip()
    raise ServiceError("key-missing", "Send an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.")


def require(key: ApiKey, scope: Scope) -> None:
    """Raises ServiceError `scope-missing` unless the key is for `scope`."""
    if scope not in key.scopes:
        raise ServiceError("scope-missing", f"This API key lacks the scope `{scope}`. Use one that has it.")


@dataclass(slots=True)
class _Checked:
    """A key that was good at `checked_at`; the store is asked again from `ask_at` on."""

    key: ApiKey
    checked_at: float
    ask_at: float


class Authenticator:
    """Checks keys. Thread safe.

    While the store answers, a key is asked for again once its last check is `ttl` seconds old, so that a revocation
    takes at most that long to be seen. While it does not, a key that was good keeps working until that check is
    `outage_ttl` seconds old, and any other raises Unavailable: not knowing a key is no reason to call it wrong.
    """

    def __init__(self, keys: Keys, ttl: float, outage_ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._ttl = ttl
        self._outage_ttl = max(ttl, outage_ttl)
        self._clock = clock
        self._lock = Lock()
        self._checked: LRUCache[bytes, _Checked] = LRUCache(REMEMBERED_KEYS)

    def authenticate(self, presented: str) -> ApiKey:
        """The key's record. Raises ServiceError `key-refused`, saying why, or Unavailable."""
        digest, now = _digest(presented), self._clock()
        with self._lock:
            checked = self._checked.get(digest)
            due = checked is None or now >= min(checked.ask_at, checked.checked_at + self._outage_ttl)
            if checked is not None and due:
                # The others go on with what is known while this one asks.
                checked.ask_at = now + min(self._ttl, ASK_AGAIN_AFTER)
        if checked is None or due:
            checked = self._check(presented, digest, checked, now)
        if _has_expired(checked.key):
            raise ServiceError("key-refused", _REASONS[Expired])
        return checked.key

    def remembered(self, presented: str) -> ApiKey | None:
        """The key's record if nothing has to be asked for; otherwise None, which says nothing of the key."""
        digest, now = _digest(presented), self._clock()
        with self._lock:
            checked = self._checked.get(digest)
        if (
            checked is None
            or now >= min(checked.ask_at, checked.checked_at + self._outage_ttl)
            or _has_expired(checked.key)
        ):
            return None
        return checked.key

    def _check(self, presented: str, digest: bytes, before: _Checked | None, now: float) -> _Checked:
        try:
            with essential() if before is None else nullcontext():
                key = self._keys.authenticate(presented)
        except Unavailable:
            if before is not None and now < before.checked_at + self._outage_ttl:
                return before
            raise
        except KeyRejected as error:
            with self._lock:
                self._checked.pop(digest, None)
            raise ServiceError("key-refused", _REASONS.get(type(error), _UNKNOWN)) from error
        checked = _Checked(key, now, now + self._ttl)
        with self._lock:
            self._checked[digest] = checked
        return checked


def _digest(presented: str) -> bytes:
    """What a key is remembered by: finding it tells nothing by its timing, and the secret itself is never kept."""
    return hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()


def _has_expired(key: ApiKey) -> bool:
    return key.expires_at is not None and key.expires_at <= datetime.now(UTC)
