"""Checks a checkpoint on its way in, and makes a classifier of one that was fine-tuned elsewhere.

Needs the `train` extra (TensorFlow).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from model.artifact import Activation, Pooling
from model.checkpoints.apart import read_arrays
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.formats.keras_head import find_head
from model.checkpoints.record import RECORD, Record, write_record
from model.engines.head import Calibration
from model.errors import CheckpointError
from model.training.bert import BertConfig, new_classifier, trained_classifier
from model.training.build import save

# What transformers' BertForSequenceClassification takes as its loss decides the activation.
_ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}
THRESHOLD: Final = 0.5
"""Of a head that comes without an operating point."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a checkpoint whose tensors were all accounted for; `labels` of one with a head of its own."""

    tensors: int
    digest: str
    labels: tuple[str, ...]


def check(folder: Path) -> Checked:
    """Read everything once; CheckpointError names every missing, misshapen or left-over tensor."""
    checkpoint = Checkpoint(folder)
    vocabulary = checkpoint.tokenizer(512).get_vocab_size()
    config = BertConfig.from_json(checkpoint.config)
    if vocabulary > config.vocab_size:
        raise CheckpointError(f"{folder}: the tokenizer has {vocabulary} words, the embeddings {config.vocab_size}")
    tensors = checkpoint.tensors()
    labels = labels_of(checkpoint.config) if "classifier.weight" in tensors else ()
    if labels and not (folder / RECORD).is_file():
        trained_classifier(checkpoint, "pooler", len(labels))
    else:
        new_classifier(checkpoint, "mean", 2, tf.float32)
    return Checked(len(tensors), checkpoint.digest(), labels)


def adopt_head(folder: Path, activation: Activation | None) -> Record:
    """Write the record of a fine-tuned BertForSequenceClassification, whose own head is then used.

    Labels are those of id2label. The head reads the pooler's output, as in transformers. Its scores are taken as they
    are: nothing here was measured.
    """
    checkpoint = Checkpoint(folder)
    activation = activation or _ACTIVATIONS.get(str(checkpoint.config.get("problem_type")))
    if activation is None:
        raise CheckpointError(
            f"{folder}: config.json has problem_type {checkpoint.config.get('problem_type')!r}, which does not tell "
            "whether the activation is sigmoid or softmax"
        )
    labels = labels_of(checkpoint.config)
    record = _record(checkpoint, labels, activation, "pooler", {"adopted": "the checkpoint's own head"})
    write_record(record, folder)
    return record


def adopt_keras_head(folder: Path, head: Path, labels: Sequence[str], out: Path) -> Record:
    """Join the encoder in `folder` and the sigmoid head of a .keras file over [CLS] into a trained checkpoint."""
    checkpoint = Checkpoint(folder)
    hidden = BertConfig.from_json(checkpoint.config).hidden_size
    kernel, bias = find_head(head, read_arrays("keras", head), hidden)
    if len(labels) != len(bias) or len(set(labels)) != len(labels):
        raise CheckpointError(f"{head} has {len(bias)} outputs: give as many different labels, not {len(labels)}")
    model = new_classifier(checkpoint, "cls", len(labels), tf.float32)
    model.head.kernel.assign(kernel)
    model.head.bias.assign(bias)
    record = _record(checkpoint, tuple(labels), "sigmoid", "cls", {"adopted": f"the head of {head.name}"})
    save(model, checkpoint, checkpoint.tokenizer(record.max_tokens), record, out)
    return record


def _record(
    checkpoint: Checkpoint,
    labels: tuple[str, ...],
    activation: Activation,
    pooling: Pooling,
    training: Mapping[str, Any],
) -> Record:
    provenance = checkpoint.provenance()
    return Record(
        labels=labels,
        activation=activation,
        pooling=pooling,
        calibration=Calibration.identity(len(labels)),
        threshold=THRESHOLD,
        max_tokens=min(512, BertConfig.from_json(checkpoint.config).max_position_embeddings),
        checkpoint=provenance,
        training=training,
        scores={},
        licence=str(provenance.get("licence", "")),
        created=datetime.now(UTC).date().isoformat(),
    )


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in id2label, in the order of the outputs."""
    try:
        names = {int(number): str(name) for number, name in config["id2label"].items()}
        return tuple(names[i] for i in range(len(names)))
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise CheckpointError(f"config.json has a head, but no id2label that numbers labels from 0: {exc!r}") from exc
