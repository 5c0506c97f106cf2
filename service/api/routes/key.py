"""GET one's own API key: what it allows, what is left of it, and what it was used for."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from service.access.gate import current_call
from service.access.ratelimits import RateLimits
from service.api.blueprint import Blueprint
from service.api.examples import KEY
from service.api.openapi import TIMED
from service.api.responses import ASK_AGAIN
from service.api.schemas import KeyResponse
from storage.records.apikeys import ApiKey
from storage.records.usage import Usage, Usages, last_days

DAYS: Final = 7


def blueprint(limits: RateLimits, usages: Usages) -> Blueprint:
    """The route of a key's holder."""
    routes = Blueprint("key", __name__, description="See what your API key allows, and what it was used for.")

    @routes.endpoint("/api/key", "key", returns=KeyResponse, headers=(*TIMED, "Cache-Control", "Vary"), example=KEY)
    def get_key() -> tuple[dict[str, Any], Mapping[str, str]]:
        """The key that you ask with.

        Its scopes and expiry, what is left of its limits, and its use in the last 7 days.
        """
        key = current_call().key
        assert key is not None  # noqa: S101  (the gate lets nobody else in)
        days = last_days(DAYS, datetime.now(UTC))
        return _describe(key, limits, usages.read(days, [key.id]), days), ASK_AGAIN

    return routes


def _describe(
    key: ApiKey, limits: RateLimits, used: Mapping[tuple[date, str], Usage], days: list[date]
) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "limits": [window._asdict() for window in limits.left(key)],
        "usage": [{"day": day.isoformat(), **used.get((day, key.id), Usage()).to_object()} for day in days],
    }
