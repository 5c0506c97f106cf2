"""A trained checkpoint as a SavedModel that TensorFlow Serving serves; needs the `train` extra (TensorFlow)."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import tensorflow as tf

from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import read_record
from model.engines.head import Calibration
from model.errors import CheckpointError
from model.training.bert import BertClassifier, trained_classifier
from model.training.build import ServingModule

SIGNATURE: Final = "serving_default"
WARMUP_TEXT: Final = "We measure the mass of the top quark in proton collisions at a centre-of-mass energy of 13 TeV."


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


def export_saved_model(folder: Path, out: Path, name: str) -> Path:
    """Write the next version of the trained checkpoint in `folder` to `out`/NAME/VERSION; returns that folder.

    The signature `serving_default` takes ids [1, length] (int32, [CLS] and [SEP] included) and gives scores
    [1, labels] (float32, calibrated). assets has labels.txt and tokenizer.json; assets.extra has the requests by which
    the server warms up.
    """
    record = read_record(folder)
    if not record.trained:
        raise CheckpointError(f"{folder}: its head was never trained")
    checkpoint = Checkpoint(folder)
    model = trained_classifier(checkpoint, record.pooling, len(record.labels))
    tokenizer = checkpoint.tokenizer(record.max_tokens)
    parent = out / name
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".export-") as temporary:
        assets, version = Path(temporary) / "assets", Path(temporary) / "version"
        assets.mkdir()
        (assets / "labels.txt").write_text("".join(f"{label}\n" for label in record.labels), "utf-8")
        tokenizer.save(str(assets / "tokenizer.json"), pretty=False)
        module = ExportModule(model, record.calibration, record.activation, sorted(assets.iterdir()))
        tf.saved_model.save(module, str(version), signatures={SIGNATURE: module.serve})
        _write_warmup(version / "assets.extra", name, tokenizer.encode(WARMUP_TEXT).ids)
        target = parent / str(_next_version(parent))
        version.replace(target)  # in one step: the server polls, and must not find half a version
    return target


def _next_version(parent: Path) -> int:
    return max((int(path.name) for path in parent.iterdir() if path.name.isdigit()), default=0) + 1


def _write_warmup(folder: Path, name: str, ids: Sequence[int]) -> None:
    """A TFRecord of PredictionLog messages (https://www.tensorflow.org/tfx/serving/saved_model_warmup).

    TensorFlow Serving's message classes are a package of their own; these few fields are put together by hand. Their
    numbers are those of model.proto, predict.proto and prediction_log.proto.
    """
    folder.mkdir()
    spec = _field(1, name.encode()) + _field(3, SIGNATURE.encode())
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for length in sorted({2, len(ids)}):
            tensor = tf.make_tensor_proto([[*ids[: length - 1], ids[-1]]], tf.int32).SerializeToString()
            inputs = _field(1, b"ids") + _field(2, tensor)
            request = _field(1, spec) + _field(2, inputs)
            writer.write(_field(6, _field(1, request)))


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field (https://protobuf.dev/programming-guides/encoding)."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
