"""`model build`, `export`, `remove`, `default`, `restamp`, `reload`: what is installed, what answers, where it runs."""

import os
import shutil
from pathlib import Path
from typing import Final, Literal

import click

from config import env_file, make_model_dir, set_in_env_file
from model.artifact import MANIFEST, Artifact, rename
from model.artifact import restamp as restamp_artifact
from model.labels import read_names
from service.bootstrap import Services
from service.cli.common import Command, services
from service.cli.model.source import FILE, FOLDER, OUT, Source, checkpoints, model_dir, needs_tensorflow
from service.front.running import reload_server

VARIABLE: Final = "ABSTRACTS_DEFAULT_MODEL"


@click.command(cls=Command)
@click.argument("folder", type=Source())
@click.option("--out", type=OUT, metavar="DIR", help="Artifact folder; its name becomes the model's.")
@click.option("--name", metavar="NAME", help="Install it under this name in ABSTRACTS_MODEL_DIR instead.")
@click.option("--precision", type=click.Choice(["int8", "float32"]), default="int8", show_default=True)
@click.option("--on", "encoder", type=Source(), metavar="DIR|NAME", help="The model to put a head on, in FOLDER.")
def build(
    folder: Path, out: Path | None, name: str | None, precision: Literal["int8", "float32"], encoder: Path | None
) -> None:
    """Build a trained checkpoint into an artifact that can be served, once it lies in ABSTRACTS_MODEL_DIR.

    `model train --categories` leaves heads behind, in folders of their own: they go --on what was built of the
    checkpoint, and share its encoder.
    """
    if (out is None) == (name is None):
        raise click.UsageError("give --out or --name")
    with services() as opened:
        target = out or make_model_dir(opened.settings) / str(name)
    artifact = _build(folder, target, precision, encoder)
    size = sum(file.stat().st_size for file in target.iterdir())
    click.echo(f"{artifact.name}: {artifact.digest}, {size / 1e6:.1f} MB in {target}", err=True)


def _build(folder: Path, target: Path, precision: Literal["int8", "float32"], encoder: Path | None) -> Artifact:
    if encoder is not None:
        from model.training.encoders import build_head

        return build_head(folder, encoder, target)
    with needs_tensorflow():
        from model.training.build import build_artifact
    return build_artifact(folder, target, precision)


@click.command(cls=Command)
@click.argument("name")
def remove(name: str) -> None:
    """Remove the model, or else the checkpoint, of that name. What is shipped stays."""
    with services() as opened:
        model, checkpoint = model_dir(opened) / name, checkpoints(opened) / name
        if Path(name).name == name and model.is_dir():
            _refuse_shared(opened, model)
            shutil.rmtree(model)
        elif Path(name).name == name and checkpoint.is_dir():
            shutil.rmtree(checkpoint)
        else:
            raise click.ClickException(f"neither a model nor a checkpoint {name} is installed here")
    click.echo(f"Removed {name}.", err=True)


def _refuse_shared(opened: Services, model: Path) -> None:
    artifacts = [listing.artifact for listing in opened.registry.list() if listing.artifact is not None]
    users = [artifact.name for artifact in artifacts if artifact.encoder is not None and artifact.encoder.path == model]
    if users:
        raise click.ClickException(f"{', '.join(users)} shares the encoder of {model.name}: remove that first")


@click.command(cls=Command)
@click.argument("name")
def default(name: str) -> None:
    """Make NAME the model that answers where none is named: ABSTRACTS_DEFAULT_MODEL in .env."""
    with services() as opened:
        opened.registry.get(name).require()
    if os.environ.get(VARIABLE, name) != name:
        raise click.ClickException(f"{VARIABLE} is set in the environment, which goes before .env: change it there")
    set_in_env_file(env_file(), VARIABLE, name)
    click.echo(f"{name} is the default. To have the running server know: abstracts model reload", err=True)


@click.command(cls=Command)
@click.argument("folders", nargs=-1, required=True, type=FOLDER)
def restamp(folders: tuple[Path, ...]) -> None:
    """Take over artifacts that were made for another normal form of texts; their weights stay as they are.

    An encoder goes before the heads that share it. Afterwards, measure what the scores are by now: model evaluate.
    """
    for folder in folders:
        artifact = restamp_artifact(folder)
        click.echo(f"{artifact.name} is {artifact.digest}", err=True)


@click.command(cls=Command)
@click.argument("folder", type=Source(), metavar="NAME|DIR")
@click.argument("file", type=FILE, required=False)
def names(folder: Path, file: Path | None) -> None:
    """Write down what a model's labels are called, and which belong together; without FILE, as arXiv does.

    FILE is a JSON object: by label a name, or an object with `name` and perhaps `url` and `group`. Names change no
    digest, groups do where they keep scores down: in a head of sigmoids, no label's score is above that of its group.
    """
    artifact = rename(folder, *(read_names(file) if file else ()))
    click.echo(f"{artifact.name}: {len(artifact.manifest.about)} names; {artifact.digest}", err=True)


@click.command(cls=Command)
def reload() -> None:
    """Have the running server read its models again; no request is dropped. The same as SIGHUP."""
    with services() as opened:
        process = reload_server(opened.settings)
    click.echo(f"Told the server (process {process}) to read its models again; it takes a few seconds.", err=True)


@click.command(cls=Command)
@click.argument("checkpoint", type=Source())
@click.option("--saved-model", "out", type=OUT, required=True, metavar="DIR", help="Where the model's versions go.")
@click.option("--name", metavar="NAME", help="The model's name; without, that of the checkpoint's folder.")
def export(checkpoint: Path, out: Path, name: str | None) -> None:
    """Write a trained checkpoint as a SavedModel for TensorFlow Serving: DIR/NAME/VERSION, float32."""
    if (checkpoint / MANIFEST).is_file():
        raise click.ClickException(f"{checkpoint} is built already: give the trained checkpoint that it was built from")
    with needs_tensorflow():
        from model.training.export import export_saved_model
    version = export_saved_model(checkpoint, out, name or checkpoint.name)
    serve = f"tensorflow_model_server --model_name={version.parent.name} --model_base_path={version.parent.absolute()}"
    click.echo(f"{version}: {serve}", err=True)
