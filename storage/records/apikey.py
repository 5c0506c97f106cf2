"""The record of an API key and its stored form."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.errors import Corrupt
from storage.records.documents import Document, to_moment, to_moment_or_none, to_text

SCOPES: Final = frozenset({"predict", "read", "admin"})
MAX_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key. secret_hash is SHA-256 in hex: the secret is random and long, so there is nothing to stretch.

    limit and limit_inference are in flask-limiter's notation; None means the service's own. Moments have a time zone.
    """

    id: str
    name: str
    secret_hash: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    limit: str | None = None
    limit_inference: str | None = None


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
    }


def from_document(id: str, document: Document) -> ApiKey:
    """What to_document stored; Corrupt if it is something else."""
    try:
        return ApiKey(
            id=id,
            name=str(document["name"]),
            secret_hash=str(document["secret_hash"]),
            scopes=frozenset(document["scopes"]),
            created_at=to_moment(document["created_at"]),
            expires_at=to_moment_or_none(document["expires_at"]),
            revoked_at=to_moment_or_none(document["revoked_at"]),
            last_used_at=to_moment_or_none(document["last_used_at"]),
            limit=document["limit"],
            limit_inference=document["limit_inference"],
        )
    except (KeyError, TypeError) as exc:
        raise Corrupt(f"the stored API key {id} is damaged: {exc}") from exc
