"""`store`: look after what is stored."""

from collections import Counter
from pathlib import Path
from typing import Any

import click

from service.bootstrap import Services
from service.cli.common import CommandGroup, json_option, print_json, print_table, services
from service.cli.store.check import check
from service.cli.store.transfer import export_store, import_store
from service.errors import ServiceError
from storage.records.predictions import Prediction


@click.group(cls=CommandGroup)
def store() -> None:
    """Look after what is stored."""


store.add_command(check)
store.add_command(export_store)
store.add_command(import_store)


@store.command()
def init() -> None:
    """Make what the store needs: scope and collections of Couchbase, the file of SQLite. May be repeated."""
    with services() as opened:
        opened.backend.init()
        click.echo(f"{opened.settings.store_url} is ready.", err=True)


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy a SQLite store to FILE, complete and of one moment, while servers use it.

    To restore it: stop the servers, remove the store's file with its -wal and -shm, and put the copy in its place.
    """
    with services() as opened:
        opened.backend.backup(file)
    click.echo(f"Copied {opened.settings.store_url} to {file}.", err=True)


@store.command()
@json_option
def stats(as_json: bool) -> None:
    """Count predictions by model, and API keys."""
    with services() as opened:
        census = opened.predictions.census(_digests(opened))
        keys, url = len(opened.keys.list()), opened.settings.store_url
    if as_json:
        counts = {"predictions": census.within, "older": census.older, "purged": census.purged, "keys": keys}
        print_json({"store": url, **counts})
        return
    rows: list[tuple[str, object]] = [(f"predictions of {model}", n) for model, n in sorted(census.within.items())]
    rows += [("of them of earlier versions of a model", census.older)] if census.older else []
    rows += [("purged, not yet swept", census.purged), ("API keys", keys)]
    print_table(("WHAT", "NUMBER"), rows, title=url)


@store.command()
@click.argument("id")
@json_option
def get(id: str, as_json: bool) -> None:
    """Show a stored prediction."""
    with services() as opened:
        labels = {item.name: item.artifact.manifest.labels for item in opened.registry.list() if item.artifact}
        found = opened.predictions.find(id, {model: len(names) for model, names in labels.items()})
    if found is None:
        raise ServiceError("no-such-prediction", f"there is no stored prediction {id!r}")
    if as_json:
        print_json(_as_object(found, labels[found.model]))
    else:
        _print(found, labels[found.model])


@store.command()
@click.argument("id")
def delete(id: str) -> None:
    """Delete a stored prediction. Servers that hold it in memory forget it within ABSTRACTS_L1_TTL."""
    with services() as opened:
        if not opened.predictions.delete(id, opened.registry.names()):
            raise ServiceError("no-such-prediction", f"there is no stored prediction {id!r}")
    click.echo(f"Deleted {id}.", err=True)


@store.command()
@click.argument("model")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(model: str, yes: bool) -> None:
    """Forget all predictions of MODEL, however many.

    Servers notice within ABSTRACTS_L1_TTL; `store sweep` frees the room.
    """
    with services() as opened:
        if next(opened.backend.scan("results", f"{model}/"), None) is None:
            opened.registry.get(model)
        if not yes:
            click.confirm(f"Forget all predictions of {model}?", abort=True, err=True)
        generation = opened.predictions.purge(model)
    click.echo(f"Forgot the predictions of {model} (generation {generation}).", err=True)


@store.command()
@click.option("--older", is_flag=True, help="Delete predictions of earlier versions of installed models, too.")
def sweep(older: bool) -> None:
    """Delete what purges have left behind."""
    with services() as opened:
        counts = Counter(opened.predictions.sweep(_digests(opened), older=older))
    click.echo(f"Deleted {counts['purged']} purged predictions.", err=True)
    if counts["older"]:
        what = f"{counts['older']} predictions of earlier versions of installed models"
        click.echo(f"Deleted {what}." if older else f"{what} stay; --older deletes them.", err=True)


def _digests(opened: Services) -> dict[str, str]:
    """Of the installed models."""
    return {item.name: item.artifact.digest for item in opened.registry.list() if item.artifact}


def _as_object(found: Prediction, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": found.id,
        "model": found.model,
        "model_digest": found.digest,
        "labels": labels,
        "scores": found.scores,
        "created_at": found.created_at.isoformat(),
        "expires_at": found.expires_at and found.expires_at.isoformat(),
        "abstract": found.abstract,
    }


def _print(found: Prediction, labels: tuple[str, ...]) -> None:
    about = f"{found.model} {found.digest[:19]}…, {found.created_at:%Y-%m-%d %H:%M:%S %Z}"
    ranked = sorted(zip(labels, found.scores, strict=True), key=lambda pair: -pair[1])
    print_table(("LABEL", "SCORE"), ranked, title=about)
