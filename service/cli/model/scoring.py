"""Runs a model over many texts for the commands that measure one."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from model.artifact import Artifact
from service.bootstrap import Services
from service.cli.common import progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model.classifier import Classifier


def score(opened: Services, artifact: Artifact, texts: Sequence[str], what: str) -> "NDArray[np.float32]":
    """Scores [texts, labels] of normalised texts, with a progress bar named `what`. Raises EngineError."""
    import numpy as np

    scores = np.zeros((len(texts), len(artifact.manifest.labels)), np.float32)
    classifier = opened.make_classifier(artifact)
    try:
        with progress_bar() as progress:
            task = progress.add_task(what, total=len(texts))
            _fill(scores, classifier, texts, lambda: progress.advance(task))
    finally:
        classifier.close()
    return scores


def _fill(
    scores: "NDArray[np.float32]", classifier: "Classifier", texts: Sequence[str], tick: Callable[[], None]
) -> None:
    for i, text in enumerate(texts):
        scores[i] = classifier.classify(text).scores
        tick()
