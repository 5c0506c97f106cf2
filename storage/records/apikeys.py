"""API keys. Only a hash of the secret is stored, and the key itself is shown once."""

import builtins
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from storage.base import Backend, Entry
from storage.errors import Conflict, Corrupt, Expired, Revoked, Unknown
from storage.records.documents import Document, Moment, decode, encode, to_text, update
from storage.records.keyformat import format_key, is_id, new_id, new_secret, parse_key

logger = logging.getLogger(__name__)

NAMESPACE: Final = "keys"
SCOPES: Final = frozenset({"predict", "read"})
MAX_NAME: Final = 100
LAST_USE_STEP: Final = timedelta(seconds=30)
"""A key's last use is written at most this often, however many processes note it."""

# Listing must not need a scan, which not every backend has; so the ids are kept in one document beside the keys.
INDEX: Final = "index"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key. secret_hash is SHA-256 in hex: the secret is random and long, so there is nothing to stretch.

    limit and limit_inference are in flask-limiter's notation; None means the service's own. Moments have a time zone.
    previous_hash is that of the secret before the last rotation, which is good until previous_until.
    """

    id: str
    name: str
    secret_hash: str
    scopes: frozenset[str]
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    last_used_at: Moment | None = None
    limit: str | None = None
    limit_inference: str | None = None
    previous_hash: str | None = None
    previous_until: Moment | None = None


class Keys:
    """API keys over a backend. Anything may raise Unavailable; an outage is never taken for an unknown key."""

    def __init__(self, backend: Backend, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._backend = backend
        self._now = now

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None = None,
        limit: str | None = None,
        limit_inference: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which is nowhere else. ValueError for a bad name, scope or expiry."""
        secret = new_secret()
        key = ApiKey(
            id=new_id(),
            name=name,
            secret_hash=_hash(secret),
            scopes=frozenset(scopes),
            created_at=self._now(),
            expires_at=expires_at,
            limit=limit,
            limit_inference=limit_inference,
        )
        check(key)
        # Listed first: an id without its key is passed over, a key that is not listed would be forgotten.
        update(self._backend, NAMESPACE, INDEX, lambda document: _with_id(document, key.id))
        if not self._backend.add(NAMESPACE, _at(key.id), encode(to_document(key))):
            raise Conflict(f"there is a key {key.id} already")
        return key, format_key(key.id, secret)

    def restore(self, key: ApiKey) -> bool:
        """Take in a key from another store; False, and nothing changed, if there is one with its id already."""
        update(self._backend, NAMESPACE, INDEX, lambda document: _with_id(document, key.id))
        return self._backend.add(NAMESPACE, _at(key.id), encode(to_document(key)))

    def authenticate(self, presented: str) -> ApiKey:
        """The key that this text belongs to. Raises Malformed, Unknown, Revoked, Expired; Corrupt if unreadable.

        To whoever presents the secret before the last rotation, the key expires when that does.
        """
        id, secret = parse_key(presented)
        key = self.get(id)
        if key is not None and not hmac.compare_digest(key.secret_hash, _hash(secret)):
            key = _of_previous(key, _hash(secret))
        if key is None:
            raise Unknown("there is no such API key")
        if key.revoked_at is not None:
            raise Revoked("this API key has been revoked")
        if key.expires_at is not None and key.expires_at <= self._now():
            raise Expired("this API key has expired")
        return key

    def get(self, id: str) -> ApiKey | None:
        """The key with this id; None if there is none."""
        entry = self._backend.get(NAMESPACE, _at(id)) if is_id(id) else None
        return None if entry is None else from_document(id, decode(entry))

    def list(self, lost: Callable[[str], None] | None = None) -> list[ApiKey]:
        """All keys, oldest first, revoked and expired ones included; an unreadable one is left out and logged.

        With `lost`, which is told in words of what cannot be read, the rest of a damaged store is found, too.
        """
        try:
            entry = self._backend.get(NAMESPACE, INDEX)
            ids = [] if entry is None else _ids(decode(entry))
            found = self._backend.get_many(NAMESPACE, [_at(id) for id in ids])
        except Corrupt as exc:
            if lost is None:
                raise
            lost(f"the list of API keys ({exc}): keys are looked for one by one")
            found = dict(self._backend.scan(NAMESPACE, _at(""), lost))
        read = [_parse_or_tell(key, entry, lost or _log_lost) for key, entry in found.items()]
        return sorted((key for key in read if key is not None), key=lambda key: (key.created_at, key.id))

    def revoke(self, id: str) -> ApiKey:
        """End a key for good, at once; one already revoked keeps its moment. Unknown if there is none."""
        now = self._now()
        return self._change(id, lambda key: key if key.revoked_at else replace(key, revoked_at=now))

    def rotate(self, id: str, grace: timedelta = timedelta()) -> tuple[ApiKey, str]:
        """Give a key another secret; the old one ends after `grace`, and one before that at once.

        Unknown if there is no such key, Revoked if it has ended.
        """
        secret, until = new_secret(), self._now() + grace

        def renew(key: ApiKey) -> ApiKey:
            previous = (key.secret_hash, until) if grace else (None, None)
            return replace(
                _alive(key), secret_hash=_hash(secret), previous_hash=previous[0], previous_until=previous[1]
            )

        return self._change(id, renew), format_key(id, secret)

    def update(self, id: str, **changes: Any) -> ApiKey:
        """Give a key another name, other scopes (a frozenset), expires_at, limit or limit_inference, by these names.

        ValueError as in create, Unknown if there is no such key, Revoked if it has ended. Servers that know the key
        notice when they ask for it again.
        """

        def apply(key: ApiKey) -> ApiKey:
            changed = replace(_alive(key), **changes)
            check(changed)
            return changed

        return self._change(id, apply)

    def find(self, text: str) -> builtins.list[ApiKey]:
        """The key with this id, or else all with this name: those that have not ended, if there are any."""
        key = self.get(text)
        if key is not None:
            return [key]
        named = [key for key in self.list() if key.name == text]
        return [key for key in named if key.revoked_at is None] or named

    def touch_used(self, id: str, when: datetime) -> None:
        """Note a use, unless a later one, or one of the half minute before, is noted. An unknown key is ignored."""
        entry = self._backend.get(NAMESPACE, _at(id)) if is_id(id) else None
        if entry is None:
            return
        key = from_document(id, decode(entry))
        if key.last_used_at is not None and when - key.last_used_at < LAST_USE_STEP:
            return
        try:
            self._backend.replace(
                NAMESPACE, _at(id), encode(to_document(replace(key, last_used_at=when))), entry.version
            )
        except Conflict:
            # Another use or a change of the key came between; the next use will be noted.
            logger.debug("the last use of key %s was not noted", id)

    def _change(self, id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        def apply(document: Document | None) -> Document:
            if document is None:
                raise Unknown(f"there is no API key {id}")
            return to_document(change(from_document(id, document)))

        if not is_id(id):
            raise Unknown(f"there is no API key {id!r}")
        return from_document(id, update(self._backend, NAMESPACE, _at(id), apply))


def _alive(key: ApiKey) -> ApiKey:
    if key.revoked_at is not None:
        raise Revoked("a revoked API key stays as it is; create another")
    return key


def _of_previous(key: ApiKey, presented_hash: str) -> ApiKey | None:
    """The key as the holder of its previous secret sees it; None if that is not what was presented."""
    if key.previous_hash is None or key.previous_until is None:
        return None
    if not hmac.compare_digest(key.previous_hash, presented_hash):
        return None
    return replace(key, expires_at=min(key.previous_until, key.expires_at or key.previous_until))


def _at(id: str) -> str:
    return f"key/{id}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _ids(document: Document) -> list[str]:
    ids = document.get("ids")
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise Corrupt("the index of API keys is damaged")
    return ids


def _with_id(document: Document | None, id: str) -> Document:
    ids = [] if document is None else _ids(document)
    return {"ids": ids if id in ids else [*ids, id]}


def _parse_or_tell(key: str, entry: Entry, lost: Callable[[str], None]) -> ApiKey | None:
    try:
        return from_document(key.removeprefix(_at("")), decode(entry))
    except Corrupt as exc:
        lost(f"an API key ({exc})")
        return None


def _log_lost(what: str) -> None:
    logger.warning("left out of the list, since it cannot be read: %s", what)


def check(key: ApiKey) -> None:
    """ValueError unless name, scopes and expiry are such as a new key may have."""
    if not 0 < len(key.name) <= MAX_NAME or not key.name.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    if not key.scopes or not key.scopes <= SCOPES:
        raise ValueError(f"scopes are one or more of {', '.join(sorted(SCOPES))}: {sorted(key.scopes)}")
    if key.expires_at is None:
        return
    if key.expires_at.tzinfo is None or key.expires_at <= key.created_at:
        raise ValueError(f"an expiry lies in the future and has a time zone: {key.expires_at.isoformat()}")


def to_document(key: ApiKey) -> Document:
    """What is stored; the id is in the entry's key."""
    return {
        "name": key.name,
        "secret_hash": key.secret_hash,
        "scopes": sorted(key.scopes),
        "created_at": to_text(key.created_at),
        "expires_at": to_text(key.expires_at),
        "revoked_at": to_text(key.revoked_at),
        "last_used_at": to_text(key.last_used_at),
        "limit": key.limit,
        "limit_inference": key.limit_inference,
        "previous_hash": key.previous_hash,
        "previous_until": to_text(key.previous_until),
    }


def from_document(id: str, document: Document) -> ApiKey:
    """What to_document stored; Corrupt if it is something else."""
    try:
        return msgspec.convert({**document, "id": id}, ApiKey)
    except msgspec.ValidationError as exc:
        raise Corrupt(f"the stored API key {id} is damaged: {exc}") from exc
