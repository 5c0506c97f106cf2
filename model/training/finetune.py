"""The training loop: a checkpoint and its new head, end to end; needs the `train` extra (TensorFlow)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tokenizers import Tokenizer

from model.errors import TrainingError
from model.tokens import encode_all
from model.training.bert import BertClassifier
from model.training.data.labelsets import LabelSet
from model.training.data.rows import Row

_SORTED_BATCHES = 64  # batches are cut from this many batches' rows at a time, sorted by length
_SAVE_EVERY = 250  # steps


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of a run: AdamW (Loshchilov & Hutter 2019) with warm-up and linear decay to zero.

    frozen_layers: of the lowest layers so many, and the embeddings, stay as they are; 0: everything is trained.
    """

    tokens: int = 128
    batch: int = 32
    learning_rate: float = 1.5e-4
    head_factor: float = 10.0
    warmup: float = 0.04
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 20261122
    bfloat16: bool = True
    frozen_layers: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: steps done and in all, and the loss averaged over the last steps (nats an example)."""

    step: int
    steps: int
    loss: float


def fine_tune(
    model: BertClassifier,
    tokenizer: Tokenizer,
    rows: Sequence[Row],
    sets: Sequence[LabelSet],
    recipe: Recipe,
    work: Path,
    on_progress: Callable[[Progress], None],
) -> None:
    """Train `model` in place, once over `rows` in their order, with checkpoints in `work` from which it resumes.

    The outputs of its head are those of all `sets`, one after the other.
    """
    batches = _batches(encode_all(tokenizer, [row.text for row in rows]), recipe)
    truths = [labels.truth(rows) for labels in sets]
    run = _Run(model, recipe, sets, len(batches), work)
    targets = np.concatenate(truths, axis=1)
    for loss in run.go(batches, targets):
        on_progress(Progress(run.done, len(batches), loss))


class _Run:
    """Optimisers, schedule and checkpoints of one run."""

    def __init__(self, model: BertClassifier, recipe: Recipe, sets: Sequence[LabelSet], steps: int, work: Path) -> None:
        self._model = model
        self._recipe = recipe
        self._sets = sets
        apart = {id(v) for v in (*model.head.trainable_variables, *model.encoder.lowest(recipe.frozen_layers))}
        self._body_variables = [v for v in model.trainable_variables if id(v) not in apart]
        self._body = self._optimizer(recipe.learning_rate, steps, self._body_variables)
        self._head = self._optimizer(
            recipe.learning_rate * recipe.head_factor, steps, list(model.head.trainable_variables)
        )
        self._step = tf.Variable(0, dtype=tf.int64, name="step")
        state = tf.train.Checkpoint(
            model=model,
            step=self._step,
            **{f"body_{i}": v for i, v in enumerate(self._body.variables)},
            **{f"head_{i}": v for i, v in enumerate(self._head.variables)},
        )
        self._manager = tf.train.CheckpointManager(state, str(work), max_to_keep=2)
        _same_run(work, recipe, steps)
        if self._manager.latest_checkpoint:
            state.restore(self._manager.latest_checkpoint).assert_consumed()

    @property
    def done(self) -> int:
        """Steps taken, those before a resume included."""
        return int(self._step.numpy())

    def go(self, batches: Sequence["_Batch"], targets: np.ndarray[Any, Any]) -> Iterator[float]:
        """Take the remaining steps; yields the smoothed loss after each."""
        smoothed = None
        for batch in batches[self.done :]:
            loss = float(self._train_step(batch.ids, batch.mask, targets[batch.rows]).numpy())
            if not np.isfinite(loss):
                raise TrainingError(f"the loss is {loss} at step {self.done}: lower the learning rate")
            smoothed = loss if smoothed is None else 0.98 * smoothed + 0.02 * loss
            if self.done % _SAVE_EVERY == 0 or self.done == len(batches):
                self._manager.save()
            yield smoothed

    def _optimizer(self, rate: float, steps: int, variables: list[tf.Variable]) -> keras.optimizers.AdamW:
        warm = max(1, int(self._recipe.warmup * steps))
        schedule = keras.optimizers.schedules.PolynomialDecay(rate, max(1, steps - warm), end_learning_rate=0.0)
        optimizer = keras.optimizers.AdamW(_WarmUp(schedule, rate, warm), weight_decay=self._recipe.weight_decay)
        optimizer.exclude_from_weight_decay(var_list=[v for v in variables if len(v.shape) < 2])
        optimizer.build(variables)
        return optimizer

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.float32),
        ]
    )
    def _train_step(self, ids: tf.Tensor, mask: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self._model(ids, mask)
            loss = tf.reduce_mean(_losses(logits, targets, self._sets))
        heads = list(self._model.head.trainable_variables)
        gradients = tape.gradient(loss, self._body_variables + heads)
        gradients, _ = tf.clip_by_global_norm([tf.convert_to_tensor(g) for g in gradients], self._recipe.clip_norm)
        self._body.apply(gradients[: -len(heads)], self._body_variables)
        self._head.apply(gradients[-len(heads) :], heads)
        self._step.assign_add(1)
        return loss


def _losses(logits: tf.Tensor, targets: tf.Tensor, sets: Sequence[LabelSet]) -> tf.Tensor:
    """Nats an example [rows], summed over the sets; what is NaN in the targets does not count."""
    sizes = [len(labels.labels) for labels in sets]
    total = tf.zeros(tf.shape(logits)[:1])
    for labels, said, truth in zip(sets, tf.split(logits, sizes, 1), tf.split(targets, sizes, 1), strict=True):
        known = tf.math.is_finite(truth)
        truth = tf.where(known, truth, 0.0)
        if labels.kind == "single":
            total += tf.nn.softmax_cross_entropy_with_logits(truth, said)  # 0 where no label is known
        else:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(truth, said)
            total += tf.reduce_sum(tf.where(known, losses, 0.0), axis=1)
    return total


class _WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up in front of another schedule."""

    def __init__(self, after: keras.optimizers.schedules.LearningRateSchedule, rate: float, steps: int) -> None:
        self._after, self._rate, self._steps = after, rate, steps

    def __call__(self, step: Any) -> Any:
        step = tf.cast(step, tf.float32)
        return tf.where(
            step < self._steps, self._rate * (step + 1.0) / self._steps, self._after(step - float(self._steps))
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    ids: np.ndarray[Any, np.dtype[np.int32]]
    mask: np.ndarray[Any, np.dtype[np.int32]]
    rows: list[int]


def _batches(encoded: Sequence[list[int]], recipe: Recipe) -> list[_Batch]:
    random = np.random.default_rng(recipe.seed)
    size, pool = recipe.batch, recipe.batch * _SORTED_BATCHES
    batches = []
    for start in range(0, len(encoded), pool):
        order = sorted(range(start, min(start + pool, len(encoded))), key=lambda i: len(encoded[i]))
        cut = [order[i : i + size] for i in range(0, len(order), size)]
        batches += [pad([encoded[i] for i in cut[j]], cut[j]) for j in random.permutation(len(cut))]
    return batches


def pad(encoded: Sequence[list[int]], rows: list[int]) -> _Batch:
    """Ids and mask [rows, longest], zeros on the padding."""
    ids = np.zeros((len(encoded), max(map(len, encoded))), np.int32)
    mask = np.zeros_like(ids)
    for i, row in enumerate(encoded):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return _Batch(ids, mask, rows)


def _same_run(work: Path, recipe: Recipe, steps: int) -> None:
    """Refuse to resume a run with another recipe or data set: the mixture would be neither."""
    asked: Mapping[str, Any] = {f: getattr(recipe, f) for f in recipe.__dataclass_fields__} | {"steps": steps}
    record = work / "run.json"
    if not record.is_file():
        work.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(asked))
    elif (found := json.loads(record.read_text())) != asked:
        differ = ", ".join(k for k in asked if asked[k] != found.get(k))
        raise TrainingError(f"{work} holds a run with another {differ}: use another folder, or remove this one")
