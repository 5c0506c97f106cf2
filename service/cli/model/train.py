"""`model train` and `model build`. TensorFlow is imported only in here, and only when one of them runs."""

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
from click.core import ParameterSource

from service.cli.common import Command, print_table, progress_bar, services
from service.cli.model.frozen import check_options, frozen_options, train_head
from service.cli.model.source import Source, model_dir

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from model.training.finetune import Progress

FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT: Final = click.Path(file_okay=False, path_type=Path)
EXTRA: Final = ("tensorflow", "keras", "safetensors")
INSTALL: Final = ".venv/bin/pip install --require-hashes -r requirements/train.txt"


@contextmanager
def needs_tensorflow() -> Iterator[None]:
    """Says how to install the `train` extra where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        yield
    except ImportError as exc:
        if (exc.name or "").partition(".")[0] not in EXTRA:
            raise
        raise click.ClickException(f"this needs {exc.name}, which serving does not: {INSTALL}") from exc


@click.command(cls=Command)
@click.option("--from", "source", type=Source(), required=True, metavar="DIR|NAME", help="Checkpoint to start from.")
@click.option("--data", type=FILE, multiple=True, required=True, metavar="FILE...", help="Labelled abstracts, JSONL.")
@click.argument("more_data", nargs=-1, type=FILE, metavar="")
@click.option("--out", type=OUT, required=True, metavar="DIR", help="Where the trained checkpoint goes.")
@click.option("--examples", type=click.IntRange(min=1), default=100_000, show_default=True, help="Rows to draw.")
@click.option("--mix", type=FILE, help="JSON of label: share, to draw and calibrate toward; without, as in the data.")
@click.option("--calibrate-on", default="", metavar="REGEX", help="Calibrate on unseen rows whose id this finds.")
@click.option("--tokens", type=click.IntRange(8, 512), default=128, show_default=True, help="Read in training.")
@click.option("--max-tokens", type=click.IntRange(8, 512), default=256, show_default=True, help="Read when serving.")
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True, help="Rows in a step.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=1.5e-4, show_default=True)
@click.option("--seed", type=int, default=20261122, show_default=True, help="Of the drawing, and its order.")
@click.option("--pooling", type=click.Choice(["mean", "cls", "pooler"]), default="mean", show_default=True)
@click.option("--licence", default="", metavar="TEXT", help="Of the result, for its manifest.")
@frozen_options
@click.pass_context
def train(
    ctx: click.Context, /, source: Path, data: tuple[Path, ...], more_data: tuple[Path, ...], **options: Any
) -> None:
    """Fine-tune a BERT checkpoint on labelled abstracts, then calibrate and measure it on rows held out.

    FILE: JSONL, also packed (.gz or .xz), with `abstract` and `labels`; several may follow --data. An interrupted run
    goes on from its last checkpoint when the same command is given again. DIR may be what another run left behind: rows
    that it saw do not calibrate.

    With --frozen, only a head is trained, on features that the encoder gives once: of a checkpoint, or of a model that
    is installed, in which case the result is a small model that shares its encoder. FILE may then also be CSV, or
    arXiv's metadata dump.
    """
    check_options(ctx, options["frozen"])
    if options["frozen"]:
        with needs_tensorflow():
            train_head(ctx, source, (*data, *more_data), options, as_typed(ctx))
        return
    with needs_tensorflow():
        from model.training.finetune import Recipe
        from model.training.mix import read_mix
        from model.training.train import Plan
        from model.training.train import train as run
    recipe = Recipe(options["tokens"], options["batch"], options["learning_rate"], seed=options["seed"])
    plan = Plan(
        checkpoint=source,
        data=(*data, *more_data),
        out=options["out"],
        examples=options["examples"],
        mix=read_mix(options["mix"]) if options["mix"] else {},
        calibrate_on=options["calibrate_on"],
        pooling=options["pooling"],
        max_tokens=options["max_tokens"],
        threads=len(os.sched_getaffinity(0)),
        licence=options["licence"],
        command=as_typed(ctx),
    )
    with _bar() as bar:
        report = run(plan, recipe, _Stages(bar, recipe.batch).step, _Stages(bar, 1).calibrate)
    summary = (report.rows, report.threshold, report.micro_f1, report.macro_f1, report.top1, report.ece)
    print_table(("HELD OUT", "THRESHOLD", "MICRO-F1", "MACRO-F1", "TOP-1", "ECE"), [summary])
    click.echo(f"Next: flask --app wsgi model build {options['out']} --name NAME", err=True)


@click.command(cls=Command)
@click.argument("folder", type=Source())
@click.option("--out", type=OUT, metavar="DIR", help="Artifact folder; its name becomes the model's.")
@click.option("--name", metavar="NAME", help="Install it under this name in ABSTRACTS_MODEL_DIR instead.")
@click.option("--precision", type=click.Choice(["int8", "float32"]), default="int8", show_default=True)
def build(folder: Path, out: Path | None, name: str | None, precision: Literal["int8", "float32"]) -> None:
    """Build a trained checkpoint into an artifact that can be served, once it lies in ABSTRACTS_MODEL_DIR."""
    if (out is None) == (name is None):
        raise click.UsageError("give --out or --name")
    with needs_tensorflow():
        from model.checkpoints.trained import build_artifact
    with services() as opened:
        target = out or model_dir(opened) / str(name)
    artifact = build_artifact(folder, target, precision)
    size = sum(file.stat().st_size for file in target.iterdir())
    click.echo(f"{artifact.name}: {artifact.digest}, {size / 1e6:.1f} MB in {target}", err=True)


def as_typed(ctx: click.Context) -> str:
    """The command as it was given, for the record: of paths only the names, which mean something elsewhere, too."""
    words = ["flask", "--app", "wsgi", "model", str(ctx.info_name)]
    for parameter in ctx.command.params:
        if ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            value = ctx.params[parameter.name or ""]
            for item in value if isinstance(value, tuple) else (value,):
                words += parameter.opts[:1] if isinstance(parameter, click.Option) else []
                if item is not True:
                    words.append(item.name if isinstance(item, Path) else str(item))
    return shlex.join(words)


def _bar() -> "Bar":
    from rich.progress import TextColumn

    return progress_bar(TextColumn("{task.fields[note]}"))


class _Stages:
    """A bar for a stage, which appears when the stage begins; `unit`: rows in one step."""

    def __init__(self, bar: "Bar", unit: int) -> None:
        self._bar = bar
        self._unit = unit
        self._began: tuple[float, int] | None = None

    def step(self, progress: "Progress") -> None:
        """Training has made a step."""
        self._show("training", progress.step, progress.steps, f"loss {progress.loss:.4f}")

    def calibrate(self, row: int, rows: int) -> None:
        """Calibration has read a row."""
        self._show("calibrating", row, rows, "")

    def _show(self, what: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
            self._task = self._bar.add_task(what, total=total, note=note)
        began, first = self._began
        rate = (done - first) * self._unit / (now - began) if now > began else 0.0
        self._bar.update(self._task, completed=done, note=f"{note} {rate:.1f} rows/s".strip())
