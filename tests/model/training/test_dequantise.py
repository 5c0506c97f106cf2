"""A served graph goes back to a checkpoint that says the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.artifact import Artifact
from model.checkpoints.record import read_record, read_seen
from model.classifier import Classifier
from model.errors import CheckpointError
from model.training.build import Precision, build_artifact
from model.training.dequantise import restore
from tests.model.tiny import write_trained

TEXTS = ("stars galaxies stars", "proof theorem", "cells market . cells")


def _scores(artifact: Artifact) -> np.ndarray:
    classifier = Classifier(artifact, threads=1, queue_size=1, queue_deadline=10)
    scores = np.array([classifier.classify(text).scores for text in TEXTS])
    classifier.close()
    return scores


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_restored_checkpoint_gives_the_artifact_s_scores(tmp_path: Path, precision: Precision) -> None:
    artifact = build_artifact(write_trained(tmp_path / "trained"), tmp_path / "models" / "tiny", precision)
    restore(artifact, tmp_path / "restored", {"b", "a"})
    again = build_artifact(tmp_path / "restored", tmp_path / "again" / "tiny", "float32")
    assert np.abs(_scores(again) - _scores(artifact)).max() < (1e-5 if precision == "float32" else 0.05)
    assert read_seen(tmp_path / "restored") == {"a", "b"}
    assert read_record(tmp_path / "restored").labels == artifact.manifest.labels


def test_a_graph_of_another_shape_is_refused(tmp_path: Path) -> None:
    artifact = build_artifact(write_trained(tmp_path / "trained"), tmp_path / "models" / "tiny", "float32")
    for change in ({"num_hidden_layers": 1}, {"num_hidden_layers": 3}, {"vocab_size": 11}):
        manifest = replace(artifact.manifest, architecture={**artifact.manifest.architecture, **change})
        with pytest.raises(CheckpointError, match=r"in place of|left over"):
            restore(replace(artifact, manifest=manifest), tmp_path / "restored", ())
