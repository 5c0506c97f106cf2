"""`model`: which models there are, and how one is trained, measured and built."""

from importlib import import_module
from typing import Any

import click

from model.registry import Listing
from service.cli import LazyCommand
from service.cli.common import CommandGroup, json_option, print_json, print_table, services


@click.group(cls=CommandGroup)
def model() -> None:
    """Inspect, train, measure and build models."""


for name, (module, about) in {
    "build": ("train", "Build a trained checkpoint into an artifact that can be served."),
    "default": ("install", "Make NAME the model that answers where none is named."),
    "evaluate": ("evaluate", "Measure a model on labelled abstracts."),
    "export": ("install", "Write a trained checkpoint as a SavedModel for TensorFlow Serving."),
    "pull": ("pull", "Get a checkpoint from the model hub."),
    "reload": ("install", "Have the running server read its models again."),
    "remove": ("install", "Remove the model, or else the checkpoint, of that name."),
    "train": ("train", "Fine-tune a BERT checkpoint on labelled abstracts."),
    "verify": ("verify", "Check that MODEL is whole and gives finite scores."),
}.items():
    model.add_command(LazyCommand(name, f"service.cli.model.{module}:{name}", about))
model.add_command(
    LazyCommand("import", "service.cli.model.pull:import_checkpoint", "Take in a checkpoint from a folder.")
)


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
    else:
        print_table(("FIELD", "VALUE"), _flat(description))


def _row(listing: Listing, default: str) -> tuple[object, ...]:
    name = f"{listing.name} (default)" if listing.name == default else listing.name
    if listing.artifact is None:
        return (name, listing.state, None, None, listing.remedy)
    labels = len(listing.artifact.manifest.labels)
    return (name, listing.state, labels, listing.artifact.digest[:19], listing.remedy or None)


def _describe(listing: Listing, default: str) -> dict[str, Any]:
    """What GET /api/models/NAME says, and besides what only the operator should know."""
    describe = import_module("service.api.routes.models").describe
    description: dict[str, Any] = describe(listing, default)
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
