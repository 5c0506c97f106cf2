"""`model`: which models there are, and how one is trained, measured and built."""

from collections.abc import Mapping
from typing import Any, Final

import click

from model.registry import Listing
from service.cli import LazyCommand
from service.cli.common import CommandGroup, json_option, print_json, print_table, services
from service.listings import describe, remedy

COMMANDS: Final = (
    LazyCommand(
        "build", "service.cli.model.manage:build", "Build a trained checkpoint into an artifact that can be served."
    ),
    LazyCommand(
        "card",
        "service.cli.model.card:card",
        "Write the card of models: use, data, what they are bad at, calibration, cost.",
    ),
    LazyCommand("default", "service.cli.model.manage:default", "Make NAME the model that answers where none is named."),
    LazyCommand("evaluate", "service.cli.model.evaluate:evaluate", "Measure a model on labelled abstracts."),
    LazyCommand(
        "export",
        "service.cli.model.manage:export",
        "Write a trained checkpoint as a SavedModel for TensorFlow Serving.",
    ),
    LazyCommand("import", "service.cli.model.pull:import_checkpoint", "Take in a checkpoint from a folder."),
    LazyCommand("install", "service.cli.model.install:install", "Make NAME ready in one go."),
    LazyCommand(
        "likeness",
        "service.cli.model.likeness:likeness",
        "Make again, from the abstracts in FILES, the words and the table that tell what is like an abstract.",
    ),
    LazyCommand("names", "service.cli.model.manage:names", "Write down what a model's labels are called."),
    LazyCommand("pull", "service.cli.model.pull:pull", "Get a checkpoint from the model hub."),
    LazyCommand("reload", "service.cli.model.manage:reload", "Have the running server read its models again."),
    LazyCommand("remove", "service.cli.model.manage:remove", "Remove the model, or else the checkpoint, of that name."),
    LazyCommand(
        "restamp",
        "service.cli.model.manage:restamp",
        "Take over artifacts that were made for another normal form of texts.",
    ),
    LazyCommand("train", "service.cli.model.train:train", "Fine-tune a BERT checkpoint on labelled abstracts."),
    LazyCommand("verify", "service.cli.model.verify:verify", "Check that MODEL is whole and gives finite scores."),
)


@click.group(cls=CommandGroup, commands=COMMANDS)
def model() -> None:
    """Inspect, train, measure and build models."""


@model.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List every model known, ready or not."""
    with services() as opened:
        listings, default = opened.registry.list(), opened.registry.default
    if as_json:
        print_json([_describe(listing, default) for listing in listings])
        return
    print_table(("NAME", "STATE", "LABELS", "DIGEST", "REMEDY"), (_row(listing, default) for listing in listings))


@model.command()
@click.argument("name")
@json_option
def info(name: str, as_json: bool) -> None:
    """Show all that is known of a model."""
    with services() as opened:
        description = _describe(opened.registry.get(name), opened.registry.default)
    if as_json:
        print_json(description)
        return
    labels, about = description.pop("labels", ()), description.pop("about", {})
    print_table(("FIELD", "VALUE"), _flat(description))
    if labels:
        click.echo()
        print_table(("LABEL", "NAME", "GROUP", "ADDRESS"), (_label_row(label, about) for label in labels))


def _row(listing: Listing, default: str) -> tuple[object, ...]:
    name = f"{listing.name} (default)" if listing.name == default else listing.name
    todo = None if listing.state == "ready" else remedy(listing.name, listing.state)
    if listing.artifact is None:
        return (name, listing.state, None, None, todo)
    return (name, listing.state, len(listing.artifact.manifest.labels), listing.artifact.digest[:19], todo)


def _label_row(label: str, about: Mapping[str, Mapping[str, str]]) -> tuple[object, ...]:
    said = about.get(label, {})
    return (label, said.get("name"), said.get("group"), said.get("url"))


def _describe(listing: Listing, default: str) -> dict[str, Any]:
    """What GET /api/models/NAME says, and besides what only the operator should know."""
    description = describe(listing, default)
    if listing.artifact is not None:
        manifest = listing.artifact.manifest
        description |= {
            "path": str(listing.artifact.path),
            "precision": manifest.precision,
            "pooling": manifest.pooling,
            "training": manifest.training,
        }
    return description


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    """Rows for a table: nested fields under dotted names, lists in one cell."""
    rows: list[tuple[str, object]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            rows += _flat(item, f"{prefix}{name}.")
        else:
            cell = " ".join(map(str, item)) if isinstance(item, list | tuple) else str(item)
            rows.append((prefix + name, cell))
    return rows
