"""`model train --frozen`: only a head is trained, on an encoder that stays as it is."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from model.artifact import MANIFEST
from service.cli.common import print_table, progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from model.training.evaluate import Report

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

EXAMPLES: Final = 20_000
FROZEN_ONLY: Final = ("head", "text_column", "label_column", "class_weights", "epochs")
WHOLE_ONLY: Final = ("tokens", "batch")
RATE: Final = 2e-3


def frozen_options(command: Decorated) -> Decorated:
    """The options that --frozen adds to `model train`."""
    for option in reversed(
        (
            click.option("--frozen", is_flag=True, help="Train only a head, on features computed once."),
            click.option("--head", type=click.Choice(["multi", "single"]), default="multi", show_default=True,
                         help="With --frozen: sigmoid over labels, or softmax over the primary one."),
            click.option("--text-column", default="abstract", show_default=True, metavar="NAME",
                         help="With --frozen: where a CSV or JSONL file has the text."),
            click.option("--label-column", multiple=True, metavar="NAME",
                         help="With --frozen: where it has the labels; several: 0 or 1 in each."),
            click.option("--class-weights", type=click.FloatRange(0, 1), default=0.0, show_default=True,
                         help="With --frozen: how much more rare labels count, 1 being all alike."),
            click.option("--epochs", type=click.IntRange(min=1), default=60, show_default=True,
                         help="With --frozen: at most; it stops when nothing improves."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def check_options(ctx: click.Context, frozen: bool) -> None:
    """A usage error for an option that would be ignored."""
    for name in WHOLE_ONLY if frozen else FROZEN_ONLY:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is not for --frozen" if frozen else f"{option} needs --frozen")


def train_head(
    ctx: click.Context, source: Path, data: tuple[Path, ...], options: Mapping[str, Any], command: str
) -> None:
    """Train, print the evaluation and what to do next."""
    from model.training.frozen import FrozenPlan, Listener, train_frozen
    from model.training.logistic import HeadRecipe
    from model.training.mix import read_mix
    from model.training.sources import Columns

    def given(name: str, otherwise: Any) -> Any:
        return options[name] if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE else otherwise

    plan = FrozenPlan(
        source=source,
        data=data,
        out=options["out"],
        kind=options["head"],
        examples=given("examples", EXAMPLES),
        columns=Columns(options["text_column"], options["label_column"]),
        mix=read_mix(options["mix"]) if options["mix"] else {},
        pooling=options["pooling"],
        max_tokens=options["max_tokens"],
        threads=len(os.sched_getaffinity(0)),
        licence=options["licence"],
        command=command,
    )
    recipe = HeadRecipe(
        epochs=options["epochs"],
        learning_rate=given("learning_rate", RATE),
        balance=options["class_weights"],
        seed=options["seed"],
    )
    from rich.progress import TextColumn

    with progress_bar(TextColumn("{task.fields[note]}")) as bar:
        stages = _Stages(bar)
        report = train_frozen(plan, recipe, Listener(stages.row, stages.epoch))
    _print(report)
    artifact = (plan.out / MANIFEST).is_file()
    done = f"{plan.out} can be served once it lies in ABSTRACTS_MODEL_DIR beside its encoder."
    click.echo(done if artifact else f"Next: flask --app wsgi model build {plan.out} --name NAME", err=True)


class _Stages:
    """A bar for the features and one for the head; each appears when its stage begins."""

    def __init__(self, bar: "Bar") -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}

    def row(self, done: int, total: int) -> None:
        """A text's features are there."""
        self._show("features", done, total, "")

    def epoch(self, done: int, total: int, loss: float) -> None:
        """An epoch of the head is done."""
        self._show("head", done, total, f"loss {loss:.4f}")

    def _show(self, what: str, done: int, total: int, note: str) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total, note=note)
        self._bar.update(self._tasks[what], completed=done, note=note)


def _print(report: "Report") -> None:
    summary = (report.rows, report.threshold, report.micro_f1, report.macro_f1, report.top1, report.ece)
    print_table(("HELD OUT", "THRESHOLD", "MICRO-F1", "MACRO-F1", "TOP-1", "ECE"), [summary])
    click.echo()
    labels = [(item.label, item.precision, item.recall, item.f1, f"{item.support:.1f}") for item in report.labels]
    print_table(("LABEL", "PRECISION", "RECALL", "F1", "SUPPORT"), labels)
