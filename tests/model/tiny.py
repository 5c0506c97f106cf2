"""A tiny trained checkpoint: random weights and a random head. `python -m tests.model.tiny DIR` exports it to DIR/tiny,
for a TensorFlow Serving that the contract tests are then pointed at with TFSERVING_TEST_URL."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from model.artifact import Activation
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import Record
from model.engines.head import Calibration
from model.training.bert import new_classifier
from model.training.build import save
from model.training.export import export_saved_model
from tests.model.conftest import HIDDEN, random_tensors, write_checkpoint

LABELS = ("astro-ph", "math", "q-bio")


def write_trained(folder: Path, activation: Activation = "sigmoid", head: float = 1.0) -> Path:
    """The trained checkpoint; its head is random times `head`."""
    base = Checkpoint(write_checkpoint(folder.parent / f"{folder.name}-base", random_tensors()))
    model = new_classifier(base, "mean", len(LABELS), tf.float32)
    model.head.kernel.assign(head * np.random.default_rng(1).normal(size=(HIDDEN, len(LABELS))))
    record = Record(
        labels=LABELS,
        activation=activation,
        pooling="mean",
        calibration=Calibration((1.5,) * len(LABELS), (0.1,) * len(LABELS)),
        threshold=0.5,
        max_tokens=32,
        checkpoint=base.provenance(),
        training={},
        scores={},
        licence="Apache-2.0",
        created="2026-01-01",
    )
    save(model, base, base.tokenizer(32), record, folder)
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(export_saved_model(write_trained(Path(temporary) / "tiny"), Path(sys.argv[1]), "tiny"))
