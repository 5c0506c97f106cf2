"""model/bert.py against the outputs of independent implementations, and its refusal of faulty checkpoints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.arrays import sigmoid
from model.checkpoints.checkpoint import Checkpoint
from model.engines.head import Calibration
from model.engines.litert import LiteRTEngine
from model.errors import CheckpointError
from model.training.bert import new_classifier, trained_classifier
from model.training.build import ServingModule, convert
from tests.model.conftest import random_tensors, write_checkpoint

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def parity(shared: Path) -> tuple[Path, list[dict[str, Any]]]:
    folder = shared / "golden" / "bert-parity"
    return folder, json.loads((folder / "golden.json").read_text())["cases"]


def test_agrees_with_pytorch_on_cls_and_logits(parity: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, cases = parity
    model = trained_classifier(Checkpoint(folder), "pooler", labels=18)
    tokenizer = Checkpoint(folder).tokenizer(512)
    for case in cases:
        ids = tokenizer.encode(case["text"]).ids
        assert ids == case["input_ids"]
        cls = model.encoder(tf.constant([ids]), first_only=True).numpy()[0]
        assert np.abs(cls - case["cls"]).max() < TOLERANCE
        assert np.abs(model(tf.constant([ids])).numpy()[0] - case["logits"]).max() < TOLERANCE


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", TOLERANCE), ("int8", 0.02)])
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_the_litert_graph_agrees_with_pytorch(
    parity: tuple[Path, list[dict[str, Any]]], tmp_path: Path, precision: Any, tolerance: float, activation: str
) -> None:
    folder, cases = parity
    model = trained_classifier(Checkpoint(folder), "pooler", labels=18)
    graph = tmp_path / "graph.tflite"
    graph.write_bytes(convert(ServingModule(model, Calibration((1.0,) * 18, (0.0,) * 18), activation), precision))
    engine = LiteRTEngine(graph, labels=18, threads=1)
    for case in cases:
        scores = np.array(engine.scores(case["input_ids"]))
        assert np.abs(scores - case[activation]).max() < tolerance
    engine.close()


def test_agrees_with_the_real_checkpoint_in_float64(shared: Path, minilm: Path) -> None:
    golden = json.loads((shared / "golden" / "minilm" / "golden.json").read_text())
    checkpoint = Checkpoint(minilm)
    assert checkpoint.digest() == "sha256:" + golden["safetensors_sha256"]
    model = new_classifier(checkpoint, "mean", 20, tf.float32)
    tokenizer = Checkpoint(minilm).tokenizer(128)
    for text in golden["texts"]:
        ids = tokenizer.encode(text["text"]).ids
        assert ids == text["ids"]
        assert np.abs(model.features(tf.constant([ids])).numpy()[0] - text["mean"]).max() < TOLERANCE
        cls = model.encoder(tf.constant([ids]), first_only=True).numpy()[0]
        assert np.abs(cls - text["cls"]).max() < TOLERANCE


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_changes_nothing(checkpoint: Path, pooling: Any) -> None:
    model = new_classifier(Checkpoint(checkpoint), pooling, 3, tf.float32)
    ids = tf.constant([[2, 5, 7, 9, 3]])
    padded = tf.pad(ids, [[0, 0], [0, 4]])
    mask = tf.constant([[1] * 5 + [0] * 4])
    assert np.abs(model.features(padded, mask) - model.features(ids)).max() < 1e-5
    assert np.abs(model.features(padded) - model.features(ids)).max() > 1e-3


def test_saved_tensors_give_the_same_model(checkpoint: Path, tmp_path: Path) -> None:
    model = new_classifier(Checkpoint(checkpoint), "mean", 3, tf.float32)
    model.head.kernel.assign(np.random.default_rng(3).normal(size=(16, 3)))
    copy = write_checkpoint(tmp_path / "copy", model.tensors())
    config = json.loads((copy / "config.json").read_text()) | {"architectures": ["BertForSequenceClassification"]}
    (copy / "config.json").write_text(json.dumps(config))
    again = trained_classifier(Checkpoint(copy), "mean", 3)
    ids = tf.constant([[2, 5, 7, 3]])
    assert np.abs(again(ids) - model(ids)).max() < 1e-6


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"encoder.layer.1.output.dense.weight": None}, r"missing encoder\.layer\.1\.output\.dense\.weight"),
        (
            {"encoder.layer.2.output.dense.bias": np.zeros(16, np.float32)},
            "left over encoder.layer.2.output.dense.bias",
        ),
        ({"embeddings.LayerNorm.bias": np.zeros(15, np.float32)}, r"embeddings.LayerNorm.bias is \[15\], not \[16\]"),
        ({"embeddings.LayerNorm.weight": np.full(16, np.nan, np.float32)}, "LayerNorm.weight holds NaN"),
    ],
)
def test_a_faulty_checkpoint_is_refused_by_the_tensor_s_name(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    tensors = {k: v for k, v in (random_tensors() | change).items() if v is not None}
    folder = write_checkpoint(tmp_path / "faulty", tensors)
    with pytest.raises(CheckpointError, match=fault):
        new_classifier(Checkpoint(folder), "mean", 3, tf.float32)


def test_a_head_of_another_size_is_refused(parity: tuple[Path, list[dict[str, Any]]]) -> None:
    with pytest.raises(CheckpointError, match=r"classifier.weight is \[18, 32\], not \[20, 32\]"):
        trained_classifier(Checkpoint(parity[0]), "pooler", labels=20)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"hidden_act": "swish"}, "swish"),
        ({"position_embedding_type": "relative_key"}, "absolute"),
        ({"num_attention_heads": 5}, "multiple"),
        ({"hidden_size": None}, "lacks hidden_size"),
    ],
)
def test_a_configuration_that_is_no_plain_bert_is_refused(checkpoint: Path, change: dict[str, Any], fault: str) -> None:
    config = json.loads((checkpoint / "config.json").read_text()) | change
    (checkpoint / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(CheckpointError, match=fault):
        new_classifier(Checkpoint(checkpoint), "mean", 3, tf.float32)


def test_a_truncated_weights_file_is_refused(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        Checkpoint(checkpoint).tensors()


def test_sigmoid_in_numpy_is_the_graph_s() -> None:
    logits = np.linspace(-8, 8, 33, dtype=np.float32)
    assert np.abs(sigmoid(logits) - tf.sigmoid(logits).numpy()).max() < 1e-6
