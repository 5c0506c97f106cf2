"""What the commands that measure a model share: its scores of many texts, and the report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from model.artifact import Artifact
from model.labels import About
from service.bootstrap import Services
from service.cli.common import print_table, progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model.training.evaluate import Report


def print_report(report: "Report", title: str | None = None, sweep: bool = False, about: About | None = None) -> None:
    """Tables of the figures, label by label, and with `sweep` at other thresholds. about: what labels are called."""
    summary = (report.rows, report.threshold, report.micro_f1, report.macro_f1, report.top1, report.ece)
    print_table(("ROWS", "THRESHOLD", "MICRO-F1", "MACRO-F1", "TOP-1", "ECE"), [summary], title=title)
    click.echo()
    names = {label: said.get("name") for label, said in (about or {}).items()}
    labels = [
        (item.label, item.precision, item.recall, item.f1, f"{item.support:.1f}", names.get(item.label))
        for item in report.labels
    ]
    columns = ("LABEL", "PRECISION", "RECALL", "F1", "SUPPORT", "NAME")
    print_table(columns if names else columns[:-1], [row if names else row[:-1] for row in labels])
    if sweep:
        click.echo()
        points = [(f"{point.threshold:.2f}", point.micro_f1, point.macro_f1) for point in report.sweep]
        print_table(("THRESHOLD", "MICRO-F1", "MACRO-F1"), points)


def score(opened: Services, artifact: Artifact, texts: Sequence[str], what: str) -> "NDArray[np.float32]":
    """Scores [texts, labels] of normalised texts, with a progress bar named `what`. Raises EngineError."""
    import numpy as np

    scores = np.zeros((len(texts), len(artifact.manifest.labels)), np.float32)
    classifier = opened.make_classifier(artifact)
    try:
        with progress_bar() as progress:
            for i, text in enumerate(progress.track(texts, description=what)):
                scores[i] = classifier.classify(text).scores
    finally:
        classifier.close()
    return scores
