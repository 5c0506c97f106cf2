"""From a model to what is kept of it: a trained checkpoint, the graph that is served, an artifact.

A trained checkpoint is the folder that training leaves behind and that `build_artifact` turns into artifacts:

    config.json, model.safetensors, tokenizer.json     as a Hugging Face checkpoint, `bert.` and `classifier.` tensors
    seen.txt                                           ids of the rows that these weights were trained on
    classifier.json                                    what is ours: labels, pooling, calibration, provenance, scores

Needs the `train` extra (TensorFlow).
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import tensorflow as tf
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from model.artifact import TOKENIZER, WEIGHTS, Artifact, write_artifact
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import Record, read_record, write_record
from model.engines.head import Calibration
from model.training.bert import BertClassifier, trained_classifier

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


def save(model: BertClassifier, base: Checkpoint, tokenizer: Tokenizer, record: Record, out: Path) -> None:
    """Write the folder; classifier.json comes last, so that a folder with one is whole."""
    out.mkdir(parents=True, exist_ok=True)
    config = dict(base.config) | {"architectures": ["BertForSequenceClassification"]}
    save_file(model.tensors(), out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    tokenizer.save(str(out / TOKENIZER), pretty=False)
    write_record(record, out)


def build_artifact(folder: Path, out: Path, precision: Precision) -> Artifact:
    """Build the trained checkpoint in `folder` into the artifact folder `out`, whose name becomes the model's."""
    record, checkpoint = read_record(folder), Checkpoint(folder)
    model = trained_classifier(checkpoint, record.pooling, len(record.labels))
    module = ServingModule(model, record.calibration, record.activation)
    manifest = asdict(record) | {
        "precision": precision,
        "architecture": {"model_type": "bert", **asdict(model.encoder.config), "tensors": len(checkpoint.tensors())},
    }
    tokenizer = checkpoint.tokenizer(record.max_tokens).to_str()
    return write_artifact(out, {TOKENIZER: tokenizer.encode(), WEIGHTS: convert(module, precision)}, manifest)
