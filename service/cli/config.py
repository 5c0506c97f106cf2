"""`config`: the settings, and whether the service could run with them.

Settings that are wrong stop every command, this one too, with all faults in one message.
"""

import click

from config import SettingsError
from service.bootstrap import Services
from service.cli.common import CommandGroup, json_option, print_json, print_table, services
from service.listings import remedy
from storage.errors import StorageError


@click.group(cls=CommandGroup)
def config() -> None:
    """Show and check the settings."""


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Show every setting, secrets masked; durations in seconds."""
    with services() as opened:
        settings = opened.settings.public()
    if as_json:
        print_json(settings)
    else:
        print_table(("SETTING", "VALUE"), ((name, _text(value)) for name, value in settings.items()))


@config.command()
def check() -> None:
    """Check that the settings fit together, the store answers and the default model is ready."""
    with services() as opened:
        faults = _faults(opened)
    if faults:
        raise click.ClickException("\n  ".join(["the service cannot run with these settings:", *faults]))
    click.echo("The settings are valid, the store answers, and the default model is ready.", err=True)


def _text(value: object) -> str:
    """As it could stand in .env."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _faults(opened: Services) -> list[str]:
    faults: list[str] = []
    try:
        opened.backend.verify()
    except SettingsError as exc:
        faults += exc.faults
    except StorageError as exc:
        faults.append(f"the store {opened.settings.store_url} does not answer: {exc}")
    name = opened.settings.default_model
    if name not in opened.registry.names():
        known = ", ".join(opened.registry.names())
        faults.append(f"ABSTRACTS_DEFAULT_MODEL={name!r}: there is no such model, only {known}")
    elif (listing := opened.registry.get(name)).state != "ready":
        faults.append(f"the model {name} is not ready: {listing.reason}; {remedy(name, listing.state)}")
    return faults
