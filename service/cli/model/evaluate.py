"""`model evaluate`: how good a model is."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import click

from model.artifact import Artifact
from model.training.evaluate import Report
from service.bootstrap import Services
from service.cli.common import Command, json_option, print_json, print_table, services
from service.cli.model.scoring import score

FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", "name", help="Model to measure; without, the default one.")
@click.option(
    "--artifact",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Artifact folder instead.",
)
@click.option(
    "--weight-field", metavar="NAME", help="Field with the weight of a row in every metric; without, each is 1."
)
@click.option("--threshold", type=click.FloatRange(0, 1), help="Instead of the model's own.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows of each file.")
@json_option
def evaluate(
    files: tuple[Path, ...],
    name: str | None,
    folder: Path | None,
    weight_field: str | None,
    threshold: float | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Measure a model on labelled abstracts: JSONL files (also .gz or .xz) with `abstract` and `labels`.

    A single-label model is measured on `primary` (without it: the first label) alone.

    For each file: micro- and macro-F1 (over labels that occur), top-1 (the best-scored label is a true one), expected
    calibration error; then label by label; then micro- and macro-F1 at other thresholds.
    """
    if name and folder:
        raise click.UsageError("give --model or --artifact, not both")
    with services() as opened:
        artifact = Artifact.open(folder) if folder else opened.registry.get(name or opened.registry.default).require()
        point = artifact.manifest.threshold if threshold is None else threshold
        reports = {path: _measure(opened, artifact, path, weight_field, point, limit) for path in files}
    if as_json:
        about = {"model": artifact.name, "model_digest": artifact.digest}
        print_json([{"file": path.name, **about, **report.as_dict()} for path, report in reports.items()])
        return
    for path, report in reports.items():
        _print(path, artifact, report)


def _measure(
    opened: Services, artifact: Artifact, path: Path, weight_field: str | None, threshold: float, limit: int | None
) -> Report:
    import numpy as np

    from model.errors import DataError
    from model.training.evaluate import evaluate as measure
    from model.training.rows import label_matrix, read_rows

    rows = list(islice(read_rows(path, weight_field), limit))
    if not rows:
        raise DataError(f"{path}: there are no rows in it")
    if artifact.manifest.activation == "softmax":
        rows = [replace(row, labels=(row.primary,)) for row in rows]
    labels = artifact.manifest.labels
    truth = label_matrix(rows, labels)
    scores = score(opened, artifact, [row.text for row in rows], path.name)
    weights = np.array([row.weight for row in rows], np.float32)
    return measure(scores, truth, weights, labels, threshold)


def _print(path: Path, artifact: Artifact, report: Report) -> None:
    summary = (report.rows, report.micro_f1, report.macro_f1, report.top1, report.ece)
    about = f"\n{path.name}: {artifact.name} {artifact.digest[:19]} at threshold {report.threshold:g}\n"
    print_table(("ROWS", "MICRO-F1", "MACRO-F1", "TOP-1", "ECE"), [summary], title=about)
    click.echo()
    labels = [(item.label, item.precision, item.recall, item.f1, f"{item.support:.1f}") for item in report.labels]
    print_table(("LABEL", "PRECISION", "RECALL", "F1", "SUPPORT"), labels)
    click.echo()
    sweep = [(f"{point.threshold:.2f}", point.micro_f1, point.macro_f1) for point in report.sweep]
    print_table(("THRESHOLD", "MICRO-F1", "MACRO-F1"), sweep)
