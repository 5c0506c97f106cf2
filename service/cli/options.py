"""What options of commands take: spans of time, moments, limits."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}

_SPAN: Final = re.compile(r"(\d{1,5})([dhm])")


def _span(value: str) -> timedelta | None:
    match = _SPAN.fullmatch(value)
    return timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None


class Span(click.ParamType[timedelta]):
    """`90d`, `12h` or `30m`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The span; a usage error for anything else."""
        found = value if isinstance(value, timedelta) else _span(value)
        if found is None:
            self.fail(f"{value!r} is not like 7d, 24h or 30m.", param, ctx)
        return found


class Expiry(click.ParamType[datetime | None]):
    """`90d`, `12h`, `30m` from now, or an ISO 8601 date or moment (UTC unless it says otherwise); `never`, None."""

    name = "expiry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | None:
        """The moment; a usage error for anything else, and for the past."""
        if value == "never":
            return None
        now, span = datetime.now(UTC), _span(value)
        moment = now + span if span is not None else self._moment(value, param, ctx)
        if moment <= now:
            self.fail(f"{value!r} is not in the future.", param, ctx)
        return moment

    def _moment(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither like 90d, 12h or 30m nor an ISO date like 2030-12-31.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Limit(click.ParamType[str | None]):
    """flask-limiter's notation; `default`, None, for the service's own limit."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | None:
        """The value itself; a usage error if it is not a limit."""
        from config.checks import is_limit

        if value == "default":
            return None
        if not is_limit(value):
            self.fail(f'{value!r} is not like "100/minute" or "10/second;5000/hour".', param, ctx)
        return str(value)
