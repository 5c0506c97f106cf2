"""`keys`: who may use the API."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from service.cli.common import CommandGroup, json_option, print_json, print_table, services
from storage.errors import Unknown
from storage.records.apikeys import SCOPES, ApiKey

_DAYS = re.compile(r"(\d{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Expiry(click.ParamType[datetime]):
    """`90d`, `12h`, `30m` from now, or an ISO 8601 date or moment (UTC unless it says otherwise)."""

    name = "expiry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment; a usage error for anything else, and for the past."""
        now = datetime.now(UTC)
        if match := _DAYS.fullmatch(value):
            moment = now + timedelta(**{_UNITS[match[2]]: int(match[1])})
        else:
            moment = self._moment(value, param, ctx)
        if moment <= now:
            self.fail(f"{value!r} is not in the future.", param, ctx)
        return moment

    def _moment(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither like 90d, 12h or 30m nor an ISO date like 2030-12-31.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Limit(click.ParamType[str]):
    """flask-limiter's notation."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value itself; a usage error if it is no limit."""
        from config.checks import is_limit

        if not is_limit(value):
            self.fail(f'{value!r} is not like "100/minute" or "10/second;5000/hour".', param, ctx)
        return str(value)


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.option("--name", required=True, help="Whose key it is, or what for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(sorted(SCOPES)),
    help="What it allows; repeat for several. Without: predict and read.",
)
@click.option("--expires", type=Expiry(), metavar="90d|DATE", help="When it ends: 90d, 12h, or an ISO date.")
@click.option("--limit", type=Limit(), help='Requests, such as "100/minute", instead of ABSTRACTS_LIMIT_KEY.')
@click.option("--limit-inference", type=Limit(), help="Model runs, instead of ABSTRACTS_LIMIT_INFERENCE.")
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    expires: datetime | None,
    limit: str | None,
    limit_inference: str | None,
    as_json: bool,
) -> None:
    """Create a key. It is shown this once: only a hash is stored."""
    with services() as opened:
        try:
            made, text = opened.keys.create(name, scopes or ("predict", "read"), expires, limit, limit_inference)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc
    _show_new(made, text, as_json)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List all keys, oldest first."""
    with services() as opened:
        found = opened.keys.list()
    if as_json:
        print_json([_as_object(key) for key in found])
        return
    columns = ("ID", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST USED")
    print_table(columns, (_row(key) for key in found))


@keys.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:
    """Show one key; the secret itself is stored nowhere."""
    with services() as opened:
        found = opened.keys.get(id)
    if found is None:
        raise Unknown(f"there is no API key {id!r}")
    _show(found, as_json)


@keys.command()
@click.argument("id")
@json_option
def revoke(id: str, as_json: bool) -> None:
    """End a key for good. Servers that know it stop taking it within ABSTRACTS_KEY_CACHE_TTL."""
    with services() as opened:
        _show(opened.keys.revoke(id), as_json)


@keys.command()
@click.argument("id")
@json_option
def rotate(id: str, as_json: bool) -> None:
    """Give a key a new secret, shown this once; the old one ends."""
    with services() as opened:
        made, text = opened.keys.rotate(id)
    _show_new(made, text, as_json)


def _show_new(key: ApiKey, text: str, as_json: bool) -> None:
    """The key alone on standard output, so that `KEY=$(… keys create --name N)` works."""
    if as_json:
        print_json({"id": key.id, "key": text, **_as_object(key)})
        return
    click.echo(f"Key {key.id} for {key.name} ({', '.join(sorted(key.scopes))}). It is not shown again:", err=True)
    click.echo(text)


def _show(key: ApiKey, as_json: bool) -> None:
    if as_json:
        print_json(_as_object(key))
    else:
        print_table(("FIELD", "VALUE"), ((name, _text(value)) for name, value in _as_object(key).items()))


def _as_object(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "state": _state(key),
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
        "last_used_at": key.last_used_at and key.last_used_at.isoformat(),
        "limit": key.limit,
        "limit_inference": key.limit_inference,
    }


def _row(key: ApiKey) -> tuple[object, ...]:
    moments = (_minute(moment) for moment in (key.created_at, key.expires_at, key.last_used_at))
    return (key.id, key.name, " ".join(sorted(key.scopes)), _state(key), *moments)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "valid"


def _minute(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _text(value: Any) -> object:
    return " ".join(value) if isinstance(value, list) else value
