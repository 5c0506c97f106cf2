"""Seconds of a training step: bfloat16 matrix products against float32, plain against XLA, in one interleaved run.

    python -m bench.training CHECKPOINT_DIR [--rounds N]

Compared: steps of 32 texts of 128 tokens of the same model, as ratios to float32 without XLA. Needs the `train` extra.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from model.checkpoints.checkpoint import Checkpoint
from model.training.bert import new_classifier

BATCH, TOKENS, LABELS = 32, 128, 20
WAYS = {
    "float32": (tf.float32, False),
    "bfloat16": (tf.bfloat16, False),
    "float32, XLA": (tf.float32, True),
    "bfloat16, XLA": (tf.bfloat16, True),
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    steps = {name: _step(arguments.checkpoint, dtype, xla) for name, (dtype, xla) in WAYS.items()}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for step in steps.values():
        step()  # traced and compiled here
    for _ in range(arguments.rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    table = Table("way", "s a step", "examples/s", "rate to float32")
    reference = statistics.median(times["float32"])
    for name, found in times.items():
        median = statistics.median(found)
        table.add_row(name, f"{median:.2f}", f"{BATCH / median:.1f}", f"{reference / median:.2f}")
    Console().print(table)


def _step(checkpoint: Path, dtype: tf.DType, xla: bool) -> Callable[[], Any]:
    """Forward and backward pass of one batch, without the optimiser."""
    model = new_classifier(Checkpoint(checkpoint), "mean", LABELS, dtype)
    variables = model.trainable_variables
    random = np.random.default_rng(0)
    ids = tf.constant(random.integers(1000, 30000, (BATCH, TOKENS)), tf.int32)
    mask, targets = tf.ones_like(ids), tf.zeros((BATCH, LABELS))

    @tf.function(jit_compile=xla)
    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, model(ids, mask)))
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]

    return lambda: [gradient.numpy() for gradient in gradients()[-1:]]


if __name__ == "__main__":
    main()
