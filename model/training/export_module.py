"""The module that an export saves; needs the `train` extra (TensorFlow)."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from model.training.bert import BertClassifier
from model.training.build import ServingModule
from model.training.calibrate import Calibration


class ExportModule(tf.Module):
    """Scores only: TensorFlow Serving writes a single output as plain rows."""

    def __init__(
        self, model: BertClassifier, calibration: Calibration, activation: str, assets: Sequence[Path]
    ) -> None:
        super().__init__(name="export")
        self._serving = ServingModule(model, calibration, activation)
        self.files = [tf.saved_model.Asset(str(path)) for path in assets]

    @tf.function(input_signature=[tf.TensorSpec([1, None], tf.int32, name="ids")])
    def serve(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """{"scores": [1, labels]}."""
        return {"scores": self._serving.serve(ids)["scores"]}
