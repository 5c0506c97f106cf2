"""flask-limiter's Limiter: it holds the storage, the strategy and what `flask limiter` shows of the limits."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Flask
from flask_limiter import ApplicationLimit, Limiter
from limits.strategies import STRATEGIES

from service.access.leases import LeasedWindows
from storage.base import Backend

SCOPES: Final = ("ip", "key", "inference")
"""What is limited: requests of an address, requests of an API key, model runs of an API key."""


def make_limiter(store_url: str, backend: Backend, notations: Mapping[str, str]) -> Limiter:
    """A Limiter that counts in `backend`, which `store_url` names; with `memory://` in this process.

    `notations`: for each of SCOPES its limit in flask-limiter's notation. Counters are those of
    RateLimitItem.key_for(identity, scope), so that `flask limiter limits --key IDENTITY` finds them.
    """
    STRATEGIES[LeasedWindows.NAME] = LeasedWindows
    options: dict[str, Any] = {"backend": backend}
    limiter = Limiter(
        _no_identity,
        application_limits=[ApplicationLimit(notations[scope], scope=scope) for scope in SCOPES],
        strategy=LeasedWindows.NAME,
        storage_uri=store_url,
        storage_options=options,
    )
    # Its hooks go to an app that answers nothing, since they cost several times what it costs to ask the strategy
    # (bench.limits), which is what the gate does.
    limiter.init_app(Flask("limits"))
    return limiter


def install(limiter: Limiter, app: Flask) -> None:
    """Lets the `flask limiter` commands of the app find it."""
    app.extensions.setdefault("limiter", set()).add(limiter)


def strategy_of(limiter: Limiter) -> LeasedWindows:
    """The strategy that make_limiter chose."""
    strategy = limiter.limiter
    assert isinstance(strategy, LeasedWindows)  # noqa: S101
    return strategy


def _no_identity() -> str:
    """Who asks is for the gate to know."""
    return ""
