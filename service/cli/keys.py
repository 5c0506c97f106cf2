"""`keys`: who may use the API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from service.bootstrap import Services
from service.cli.common import CommandGroup, json_option, print_json, print_table, services
from service.cli.options import Expiry, Limit, Span
from storage.errors import Unknown
from storage.records.apikeys import SCOPES, ApiKey
from storage.records.usage import KEPT, Usage, last_days

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

COLUMNS: Final = ("ID", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST USED")
USAGE_COLUMNS: Final = ("DAY", "KEY", "NAME", "REQUESTS", "HITS", "MISSES", "MODEL SECONDS", "PDFS")
DAY: Final = timedelta(days=1)
RIGHTS: Final = (
    click.option(
        "--scope",
        "scopes",
        multiple=True,
        type=click.Choice(sorted(SCOPES)),
        help="What it allows; repeat for several. A new key without: predict and read.",
    ),
    click.option(
        "--expires", "expires_at", type=Expiry(), metavar="90d|DATE|never", help="When it ends: 90d, 12h, an ISO date."
    ),
    click.option(
        "--limit",
        type=Limit(),
        metavar="LIMIT|default",
        help='Requests, such as "100/minute", instead of ABSTRACTS_LIMIT_KEY.',
    ),
    click.option(
        "--limit-inference",
        type=Limit(),
        metavar="LIMIT|default",
        help="Model runs, instead of ABSTRACTS_LIMIT_INFERENCE.",
    ),
)
"""The options for all that can be said of a key besides its name."""


def rights_options(command: Decorated) -> Decorated:
    """Adds RIGHTS to a command, in their order."""
    for option in reversed(RIGHTS):
        command = option(command)
    return command


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, list, change and revoke API keys, and see what they are used for."""


@keys.command()
@click.option("--name", required=True, help="Whose key it is, or what for.")
@rights_options
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    limit: str | None,
    limit_inference: str | None,
    as_json: bool,
) -> None:
    """Create a key and print it. It is shown only once: no more than a hash of it is stored."""
    with services() as opened:
        try:
            made, text = opened.keys.create(name, scopes or ("predict", "read"), expires_at, limit, limit_inference)
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
    else:
        print_table(COLUMNS, (_row(key) for key in found))


@keys.command()
@click.argument("key")
@json_option
def show(key: str, as_json: bool) -> None:
    """Show the key with that id or name. The secret itself is stored nowhere."""
    with services() as opened:
        found = _find(opened, key)
    _show(found, as_json)


@keys.command()
@click.argument("key")
@click.option("--name", help="Another name.")
@rights_options
@json_option
@click.pass_context
def update(ctx: click.Context, /, key: str, as_json: bool, **options: Any) -> None:
    """Change the key with that id or name: its name, scopes, expiry or limits. What is not given stays as it is.

    `--expires never` and `--limit default` take away what was set. Servers notice within ABSTRACTS_KEY_CACHE_TTL.
    """
    given = {name: value for name, value in options.items() if _is_given(ctx, name)}
    if not given:
        raise click.UsageError("say what to change: --name, --scope, --expires, --limit or --limit-inference")
    if "scopes" in given:
        given["scopes"] = frozenset(given["scopes"])
    with services() as opened:
        try:
            changed = opened.keys.update(_find(opened, key).id, **given)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc
    _show(changed, as_json)


@keys.command()
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def revoke(key: str, yes: bool, as_json: bool) -> None:
    """End the key with that id or name for good. Servers that know it notice within ABSTRACTS_KEY_CACHE_TTL."""
    with services() as opened:
        found = _find(opened, key)
        if not yes:
            click.confirm(f"Revoke the key {found.id} of {found.name} for good?", abort=True, err=True)
        revoked = opened.keys.revoke(found.id)
    _show(revoked, as_json)


@keys.command()
@click.argument("key")
@click.option(
    "--grace", type=Span(), default=timedelta(), metavar="24h", help="How long the old secret stays good, such as 24h."
)
@json_option
def rotate(key: str, grace: timedelta, as_json: bool) -> None:
    """Give the key with that id or name a new secret, and print it. It is shown only once.

    The old secret ends at once, or after --grace; servers that know it notice within ABSTRACTS_KEY_CACHE_TTL.
    """
    with services() as opened:
        made, text = opened.keys.rotate(_find(opened, key).id, grace)
    _show_new(made, text, as_json)
    until = made.previous_until
    click.echo(f"The old secret {f'is good until {_minute(until)} UTC' if until else 'has ended'}.", err=True)


@keys.command()
@click.argument("key", required=False)
@click.option("--since", type=Span(), default="7d", metavar="7d", help=f"How far back, {KEPT.days}d at most; else 7d.")
@json_option
def usage(key: str | None, since: timedelta, as_json: bool) -> None:
    """What the key with that id or name was used for, or each key, by day (UTC).

    Servers write it once a minute. HITS and MISSES are abstracts answered without and with a run of the model, in jobs,
    too; PDFS are papers that were read.
    """
    days = last_days(max(1, ceil(since / DAY)), datetime.now(UTC))
    with services() as opened:
        names = {one.id: one.name for one in ([_find(opened, key)] if key else opened.keys.list())}
        found = opened.usages.read(days, names)
    total = sum(found.values(), Usage())
    if as_json:
        used = [
            {"day": day.isoformat(), "id": id, "name": names[id], **each.to_object()}
            for (day, id), each in found.items()
        ]
        print_json({"usage": used, "total": total.to_object()})
        return
    rows = [(day.isoformat(), id, names[id], *each.to_object().values()) for (day, id), each in found.items()]
    print_table(USAGE_COLUMNS, [*rows, ("total", None, None, *total.to_object().values())])


def _find(opened: Services, text: str) -> ApiKey:
    """The one key with that id or name; Unknown if there is none, a usage error if there are several."""
    found = opened.keys.find(text)
    if not found:
        raise Unknown(f"there is no API key with the id or name {text!r}; `keys list` shows all")
    if len(found) > 1:
        raise click.UsageError(
            f"{len(found)} keys are named {text!r}; give an id: {', '.join(key.id for key in found)}"
        )
    return found[0]


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


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
        "old_secret_ends_at": key.previous_until and key.previous_until.isoformat(),
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
