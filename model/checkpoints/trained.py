"""A trained checkpoint: the folder that training leaves behind and that `build` turns into artifacts.

    config.json, model.safetensors, tokenizer.json     as a Hugging Face checkpoint, `bert.` and `classifier.` tensors
    seen.txt                                           ids of the rows that these weights were trained on
    classifier.json                                    what is ours: labels, pooling, calibration, provenance, scores

Needs the `train` extra (TensorFlow).
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from model.artifact import TOKENIZER, WEIGHTS, Artifact, Pooling, write_artifact
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import Record, read_record, write_record
from model.tokens import load_tokenizer
from model.training.bert import BertClassifier, BertConfig, Dense, Encoder
from model.training.build import Precision, ServingModule, convert


def new_classifier(checkpoint: Checkpoint, pooling: Pooling, labels: int, compute: tf.DType) -> BertClassifier:
    """The checkpoint's encoder under a linear head of zeros (every score 0.5), to be trained."""
    hidden = BertConfig.from_json(checkpoint.config).hidden_size
    head = Dense(np.zeros((hidden, labels), np.float32), np.zeros(labels, np.float32), tf.float32, "head")
    return _classifier(checkpoint, pooling, compute, head, labels)


def trained_classifier(checkpoint: Checkpoint, pooling: Pooling, labels: int) -> BertClassifier:
    """The checkpoint's encoder and its own `classifier` head of `labels` outputs, in float32."""
    return _classifier(checkpoint, pooling, tf.float32, None, labels)


def _classifier(
    checkpoint: Checkpoint, pooling: Pooling, compute: tf.DType, head: Dense | None, labels: int
) -> BertClassifier:
    tensors = checkpoint.tensors()
    prefix = tensors.prefix
    config = BertConfig.from_json(checkpoint.config)
    encoder = Encoder(config, tensors, prefix, compute)
    hidden = config.hidden_size
    pooler = None
    if pooling == "pooler":
        pooler = Dense(*tensors.linear(f"{prefix}pooler.dense", hidden, hidden), tf.float32, "pooler")
    unused = [] if pooler else ["pooler."]
    if head is None:
        head = Dense(*tensors.linear("classifier", hidden, labels), tf.float32, "head")
    else:
        unused.append("classifier.")
    tensors.finish(unused)
    return BertClassifier(encoder, pooling, head, pooler)


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
    tokenizer = load_tokenizer(folder, record.max_tokens).to_str()
    return write_artifact(out, {TOKENIZER: tokenizer.encode(), WEIGHTS: convert(module, precision)}, manifest)
