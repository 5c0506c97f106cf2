"""`model install`: from a base checkpoint to a model that answers, in one command that can be interrupted."""

from pathlib import Path
from typing import Any, Final

import click

from config import make_data_dir, make_model_dir
from model.artifact import Artifact
from model.errors import CheckpointError
from model.registry import INSTALLABLE
from service.bootstrap import Services
from service.cli.common import Command, services
from service.cli.model.pull import get
from service.cli.model.scoring import print_report
from service.cli.model.source import FILE, FOLDER, checkpoints, needs_tensorflow
from service.cli.model.stages import Stages
from service.cli.model.train import as_typed, train_head
from service.cli.model.verify import examine, samples
from service.errors import NotRunning
from service.front.running import reload_server

HEAD: Final = {
    "pooling": "mean",
    "max_tokens": 256,
    "class_weights": 0.0,
    "epochs": 60,
    "learning_rate": None,
    "seed": 20261122,
    "licence": "",
    "categories": None,
}
"""What `model train --frozen` has where nothing is said."""
USUAL_FLIPS: Final = 0.02
"""Share of labels that 8 bits bring to the other side of the threshold in an honest model: 1 % of MiniLM's at most."""


@click.command(cls=Command)
@click.argument("name", type=click.Choice(list(INSTALLABLE)), metavar="NAME")
@click.option("--data", type=FILE, multiple=True, required=True, metavar="FILE...", help="Labelled abstracts.")
@click.argument("more_data", nargs=-1, type=FILE, metavar="")
@click.option(
    "--from", "source", type=FOLDER, metavar="DIR", help="Take the base checkpoint from here, not from the hub."
)
@click.option("--examples", type=click.IntRange(min=1), default=20_000, show_default=True, help="Rows to draw.")
@click.option("--text-column", default="abstract", show_default=True, metavar="NAME", help="Where FILE has the text.")
@click.option(
    "--label-column", multiple=True, metavar="NAME", help="Where FILE has the labels; several: 0 or 1 in each."
)
@click.option("--mix", type=FILE, help="JSON of label: share, to draw and calibrate toward; without, as in the data.")
@click.pass_context
def install(
    ctx: click.Context, /, name: str, data: tuple[Path, ...], more_data: tuple[Path, ...], **options: Any
) -> None:
    """Make NAME ready in one go.

    NAME: scibert-multi, scibert-single, bert-multi or bert-single.

    Pulls the base checkpoint, or takes it from a folder; trains a head on it (FILE: as for `model train`); builds the
    model, verifies it against the float32 build, and has the running server read its models again. What an interrupted
    run has done already is not done again.
    """
    base, head = INSTALLABLE[name]
    files = (*data, *more_data)
    with services() as opened:
        make_data_dir(opened.settings)
        models = make_model_dir(opened.settings)
        _step(1, f"the checkpoint {base}")
        checkpoint = _checkpoint(opened, base, options.pop("source"))
        trained = opened.settings.data_dir / "training" / name
        _step(2, f"a head on it, in {trained}")
        _train(checkpoint, files, {**HEAD, **options, "head": head, "out": trained}, as_typed(ctx))
        _step(3, f"the model, in {models / name}")
        artifact = _build(trained, models / name)
        _step(4, "its scores, against the float32 build's")
        _compare(examine(opened, artifact, samples(), trained))
        _step(5, "the server")
        _reload(opened)


def _step(number: int, what: str) -> None:
    click.echo(f"[{number}/5] {what}", err=True)


def _checkpoint(opened: Services, base: str, source: Path | None) -> Path:
    if (there := checkpoints(opened) / base).is_dir():
        click.echo("It is there.", err=True)
        return there
    folder, checked = get(opened, base, None, source)
    click.echo(f"{checked.tensors} tensors, each accounted for; {checked.digest}", err=True)
    return folder


def _train(checkpoint: Path, files: tuple[Path, ...], options: dict[str, Any], command: str) -> None:
    """Train the head, unless this command has trained it on these files already."""
    from model.checkpoints.record import read_record
    from model.training.data.rows import digests

    try:
        training = read_record(options["out"]).training
    except CheckpointError:
        training = {}
    if (training.get("command"), training.get("data")) == (command, digests(files)):
        click.echo("It is trained.", err=True)
        return
    with needs_tensorflow(), Stages() as stages:
        report = train_head(checkpoint, files, options, command, stages)
    print_report(report)


def _build(trained: Path, out: Path) -> Artifact:
    with needs_tensorflow():
        from model.training.build import build_artifact
    artifact = build_artifact(trained, out, "int8")
    click.echo(f"{artifact.digest}, {artifact.size / 1e6:.1f} MB", err=True)
    return artifact


def _compare(found: dict[str, Any]) -> None:
    flips, labels = found["label_flips"], found["labels_compared"]
    click.echo(
        f"The largest difference is {found['largest_difference']:.4f}; {flips} of {labels} labels differ.", err=True
    )
    if flips > USUAL_FLIPS * labels:
        click.echo("That is more than usual. See how good it is: abstracts model evaluate FILE --model NAME", err=True)


def _reload(opened: Services) -> None:
    try:
        process = reload_server(opened.settings)
    except NotRunning:
        click.echo("None runs here; the next one will have the model.", err=True)
    else:
        click.echo(f"Told the server (process {process}) to read its models again; it takes a few seconds.", err=True)
