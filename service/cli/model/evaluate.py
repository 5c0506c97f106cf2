"""`model evaluate`: how good a model is."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import click

from model.artifact import Artifact
from model.training.evaluate import Report
from service.bootstrap import Services
from service.cli.common import Command, json_option, print_json, services
from service.cli.model.card import write_evaluations
from service.cli.model.scoring import print_report, score
from service.cli.model.source import FILE, FOLDER


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--model", "name", help="Model to measure; without, the default one.")
@click.option("--artifact", "folder", type=FOLDER, help="Artifact folder instead.")
@click.option(
    "--weight-field", metavar="NAME", help="Field with the weight of a row in every metric; without, each is 1."
)
@click.option("--categories", type=FILE, help="Lines of id, tab, categories: what the model is measured on instead.")
@click.option("--least-rows", type=click.IntRange(min=1), default=1, metavar="N", help="Of a label in macro-F1.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Instead of the model's own.")
@click.option("--max-tokens", type=click.IntRange(3, 512), help="Instead of the model's own.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows of each file.")
@click.option("--save", is_flag=True, help="Keep what was found beside the model, for its card (`model card`).")
@json_option
def evaluate(
    files: tuple[Path, ...],
    name: str | None,
    folder: Path | None,
    max_tokens: int | None,
    save: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure a model on labelled abstracts: JSONL or CSV (also .gz or .xz) with `abstract` and `labels`.

    A single-label model is measured on `primary` (without it: the first label) alone. With --categories, rows that the
    file lacks, or of which it has an archive in place of a category, are left out.

    For each file: micro- and macro-F1 (over labels that occur), top-1 (the best-scored label is a true one), expected
    calibration error; then label by label; then micro- and macro-F1 at other thresholds.
    """
    if name and folder:
        raise click.UsageError("give --model or --artifact, not both")
    if save and (options["threshold"], max_tokens, options["limit"]) != (None, None, None):
        raise click.UsageError(
            "--save keeps what holds for the model as it is, on all rows: leave the other options out"
        )
    with services() as opened:
        artifact = Artifact.open(folder) if folder else opened.registry.get(name or opened.registry.default).require()
        if max_tokens is not None:
            artifact = replace(artifact, manifest=replace(artifact.manifest, max_tokens=max_tokens))
        reports = {path: _measure(opened, artifact, path, **options) for path in files}
    about = {"model": artifact.name, "model_digest": artifact.digest, "weight_field": options["weight_field"]}
    found = [{"file": path.name, **about, **report.as_dict()} for path, report in reports.items()]
    if save:
        write_evaluations(artifact, found)
    if as_json:
        print_json(found)
        return
    for path, report in reports.items():
        title = f"\n{path.name}: {artifact.name} {artifact.digest[:19]} at threshold {report.threshold:g}\n"
        print_report(report, title, sweep=True, about=artifact.manifest.about)


def _measure(
    opened: Services,
    artifact: Artifact,
    path: Path,
    *,
    weight_field: str | None,
    categories: Path | None,
    least_rows: int,
    threshold: float | None,
    limit: int | None,
) -> Report:
    import numpy as np

    from model.errors import DataError
    from model.training.data.labelsets import ACTIVATION, LabelSet, names_of, read_categories
    from model.training.data.rows import Columns, read_rows
    from model.training.evaluate import evaluate as measure

    manifest = artifact.manifest
    kind = next(kind for kind, activation in ACTIVATION.items() if activation == manifest.activation)
    names = names_of(kind, read_categories(categories) if categories else None)
    labels = LabelSet("", kind, manifest.labels, names)
    rows = labels.known(list(islice(read_rows(path, Columns(weight=weight_field)), limit)))
    if not rows:
        raise DataError(f"{path}: there are no rows in it" + (", or none that has categories" if categories else ""))
    truth = labels.truth(rows)
    scores = score(opened, artifact, [row.text for row in rows], path.name)
    weights = np.array([row.weight for row in rows], np.float32)
    point = manifest.threshold if threshold is None else threshold
    return measure(scores, truth, weights, labels.labels, point, least_rows)
