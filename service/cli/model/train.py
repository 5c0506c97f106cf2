"""`model train`. TensorFlow is imported only when it runs."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from model.artifact import MANIFEST
from service.cli.common import Command
from service.cli.model.scoring import print_report
from service.cli.model.source import FILE, OUT, Source, needs_tensorflow
from service.cli.model.stages import Stages

if TYPE_CHECKING:
    from model.training.evaluate import Report

FROZEN_ONLY: Final = ("head", "class_weights", "epochs")
WHOLE_ONLY: Final = ("tokens", "batch", "calibrate_on", "frozen_layers", "fit_heads")


@click.command(cls=Command)
@click.option("--from", "source", type=Source(), required=True, metavar="DIR|NAME", help="Checkpoint to start from.")
@click.option("--data", type=FILE, multiple=True, required=True, metavar="FILE...", help="Labelled abstracts.")
@click.argument("more_data", nargs=-1, type=FILE, metavar="")
@click.option("--out", type=OUT, required=True, metavar="DIR", help="Where the result goes.")
@click.option("--examples", type=click.IntRange(min=1), help="Rows to draw; 100,000, with --frozen 20,000.")
@click.option("--text-column", default="abstract", show_default=True, metavar="NAME", help="Where FILE has the text.")
@click.option(
    "--label-column", multiple=True, metavar="NAME", help="Where FILE has the labels; several: 0 or 1 in each."
)
@click.option("--mix", type=FILE, help="JSON of label: share, to draw and calibrate toward; without, as in the data.")
@click.option("--calibrate-on", default="", metavar="REGEX", help="Calibrate on unseen rows whose id this finds.")
@click.option(
    "--categories",
    type=FILE,
    help="Lines of id, tab, categories: heads for these, too; with --frozen, these alone.",
)
@click.option("--tokens", type=click.IntRange(8, 512), default=128, show_default=True, help="Read in training.")
@click.option("--max-tokens", type=click.IntRange(8, 512), default=256, show_default=True, help="Read when serving.")
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True, help="Rows in a step.")
@click.option(
    "--frozen-layers",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The embeddings and so many of the lowest layers stay as they are; 0: all is trained.",
)
@click.option(
    "--fit-heads",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Fit the heads once more at the end, to N rows that training did not see.",
)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="1.5e-4; with --frozen 2e-3.")
@click.option("--seed", type=int, default=20261122, show_default=True, help="Of the drawing, and its order.")
@click.option("--pooling", type=click.Choice(["mean", "cls", "pooler"]), default="mean", show_default=True)
@click.option("--licence", default="", metavar="TEXT", help="Of the result, for its manifest.")
@click.option("--frozen", is_flag=True, help="Train only a head, on features computed once.")
@click.option(
    "--head",
    type=click.Choice(["multi", "single"]),
    default="multi",
    show_default=True,
    help="With --frozen: sigmoid over labels, or softmax over the primary one.",
)
@click.option(
    "--class-weights",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="With --frozen: how much more rare labels count, 1 being all alike.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="With --frozen: at most; it stops when nothing improves.",
)
@click.pass_context
def train(
    ctx: click.Context, /, source: Path, data: tuple[Path, ...], more_data: tuple[Path, ...], **options: Any
) -> None:
    """Fine-tune a BERT checkpoint on labelled abstracts, then calibrate and measure it on rows held out.

    FILE: JSONL or CSV, also packed (.gz or .xz), with `abstract` and `labels`, or arXiv's metadata dump; several may
    follow --data. A row without labels is left out. An interrupted run goes on from its last checkpoint when the same
    command is given again. DIR may be what another run left behind: rows that it saw do not calibrate.

    With --categories, heads for the primary labels and for the categories are trained together with the one for the
    labels, and lie in folders of their own in DIR: `model build` puts them on the encoder.

    With --frozen, only a head is trained, on features that the encoder gives once: of a checkpoint, or of a model that
    is installed, in which case the result is a small model that shares its encoder.
    """
    _check_options(ctx, options["frozen"])
    run = _train_head if options["frozen"] else _fine_tune
    with needs_tensorflow(), Stages() as stages:
        reports = run(source, (*data, *more_data), options, as_typed(ctx), stages)
    for name, report in reports.items():
        print_report(report, f"\n{name}\n" if len(reports) > 1 else None)
    artifact = (options["out"] / MANIFEST).is_file()
    done = f"{options['out']} can be served once it lies in ABSTRACTS_MODEL_DIR beside its encoder."
    click.echo(done if artifact else f"Next: abstracts model build {options['out']} --name NAME", err=True)


def _check_options(ctx: click.Context, frozen: bool) -> None:
    """A usage error for an option that would be ignored."""
    for name in WHOLE_ONLY if frozen else FROZEN_ONLY:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is not for --frozen" if frozen else f"{option} needs --frozen")


def _plan(data: tuple[Path, ...], options: dict[str, Any], command: str) -> dict[str, Any]:
    """What both ways of training are told."""
    from model.training.data.draw import read_mix
    from model.training.data.rows import Columns

    return {
        "data": data,
        "out": options["out"],
        "columns": Columns(options["text_column"], options["label_column"]),
        "mix": read_mix(options["mix"]) if options["mix"] else {},
        "categories": options["categories"],
        "pooling": options["pooling"],
        "max_tokens": options["max_tokens"],
        "threads": len(os.sched_getaffinity(0)),
        "licence": options["licence"],
        "command": command,
    }


def _fine_tune(
    source: Path, data: tuple[Path, ...], options: dict[str, Any], command: str, stages: Stages
) -> dict[str, "Report"]:
    from model.training.finetune import Progress, Recipe
    from model.training.train import Plan
    from model.training.train import train as run

    def step(at: Progress) -> None:
        stages.show("training", at.step, at.steps, f"loss {at.loss:.4f}", unit=recipe.batch)

    recipe = Recipe(
        options["tokens"],
        options["batch"],
        options["learning_rate"] or 1.5e-4,
        seed=options["seed"],
        frozen_layers=options["frozen_layers"],
    )
    examples = options["examples"] or 100_000
    own = {"examples": examples, "calibrate_on": options["calibrate_on"], "fit_heads": options["fit_heads"]}
    plan = Plan(source, **own, **_plan(data, options, command))
    return run(plan, recipe, step, stages.show)


def _train_head(
    source: Path, data: tuple[Path, ...], options: dict[str, Any], command: str, stages: Stages
) -> dict[str, "Report"]:
    return {"head": train_head(source, data, options, command, stages)}


def train_head(source: Path, data: tuple[Path, ...], options: dict[str, Any], command: str, stages: Stages) -> "Report":
    """Train a head on a frozen encoder; `options` as of `model train`."""
    from model.training.frozen import FrozenPlan, Listener, train_frozen
    from model.training.logistic import HeadRecipe

    plan = FrozenPlan(
        source, kind=options["head"], examples=options["examples"] or 20_000, **_plan(data, options, command)
    )
    recipe = HeadRecipe(
        options["epochs"],
        learning_rate=options["learning_rate"] or 2e-3,
        balance=options["class_weights"],
        seed=options["seed"],
    )
    listener = Listener(
        lambda row, rows: stages.show("features", row, rows),
        lambda epoch, epochs, loss: stages.show("head", epoch, epochs, f"loss {loss:.4f}", unit=plan.examples),
    )
    return train_frozen(plan, recipe, listener)


def as_typed(ctx: click.Context) -> str:
    """The command as it was given, for the record: of paths only the names, which mean something elsewhere, too."""
    words = ["abstracts", "model", str(ctx.info_name)]
    for parameter in ctx.command.params:
        if ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            value = ctx.params[parameter.name or ""]
            for item in value if isinstance(value, tuple) else (value,):
                words += parameter.opts[:1] if isinstance(parameter, click.Option) else []
                if item is not True:
                    words.append(item.name if isinstance(item, Path) else str(item))
    return shlex.join(words)
