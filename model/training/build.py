"""Model -> the graph that is served; needs the `train` extra (TensorFlow)."""

import tempfile
from typing import Literal

import tensorflow as tf

from model.training.bert import BertClassifier
from model.training.calibrate import Calibration

Precision = Literal["int8", "float32"]


class ServingModule(tf.Module):
    """The graph that is served: ids [1, length] -> calibrated scores [1, labels] and pooled features [1, hidden]."""

    def __init__(self, model: BertClassifier, calibration: Calibration, activation: str) -> None:
        super().__init__(name="serving")
        self._model = model
        self._scale = tf.constant(calibration.scale, tf.float32)
        self._offset = tf.constant(calibration.offset, tf.float32)
        self._activation = {"sigmoid": tf.sigmoid, "softmax": tf.nn.softmax, "none": tf.identity}[activation]

    @tf.function(input_signature=[tf.TensorSpec([1, None], tf.int32, name="ids")])
    def serve(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """{"scores": [1, labels], "features": [1, hidden]}; other heads can be put on the features."""
        features = self._model.features(ids)
        logits = self._model.head(features) * self._scale + self._offset
        return {"scores": self._activation(logits), "features": features}


def convert(module: ServingModule, precision: Precision) -> bytes:
    """A LiteRT graph; int8 quantises the weights, and activations on the fly (dynamic range)."""
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures=module.serve)
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        if precision == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return bytes(converter.convert())


def convert_encoder(model: BertClassifier) -> bytes:
    """An int8 graph whose features are wanted, and whose scores mean nothing: the head is not trained yet."""
    return convert(ServingModule(model, Calibration.identity(int(model.head.bias.shape[0])), "none"), "int8")
