"""The whole road from files of labelled abstracts to a trained, calibrated, measured checkpoint.

Needs the `train` extra (TensorFlow).
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tensorflow as tf
from tokenizers import Tokenizer

from model.arrays import Floats, sigmoid
from model.artifact import Pooling
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import RECORD, SEEN, Record, read_record, read_seen
from model.engines.head import Calibration
from model.engines.litert import LiteRTEngine
from model.errors import DataError
from model.training.bert import BertClassifier, new_classifier
from model.training.build import ServingModule, convert, save
from model.training.calibrate import best_threshold, platt
from model.training.evaluate import Report, evaluate
from model.training.finetune import Progress, Recipe, fine_tune
from model.training.rows import (
    Columns,
    Row,
    digests,
    draw,
    label_matrix,
    mix_weights,
    read_rows,
    shares,
    split_held_out,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train on what.

    checkpoint: a pretrained one, or one that training left behind, to go on from. examples: rows drawn for training.
    mix: share of each primary label that scores are calibrated to; empty: as in the data. mix_floor: smallest share of
    a primary label among the rows drawn. repeats: how often a rare label's row may be drawn. held_out, held_out_floor:
    see `split_held_out`. calibration: rows to calibrate and measure on, out of those that these weights were never
    trained on and whose id `calibrate_on` (a regular expression) finds. max_tokens: read when serving and calibrating.
    """

    checkpoint: Path
    data: tuple[Path, ...]
    out: Path
    examples: int
    columns: Columns = field(default_factory=Columns)
    mix: Mapping[str, float] = field(default_factory=dict)
    mix_floor: float = 0.015
    repeats: int = 2
    held_out: float = 0.015
    held_out_floor: int = 150
    calibration: int = 8000
    calibrate_on: str = ""
    pooling: Pooling = "mean"
    max_tokens: int = 256
    threads: int = 2
    licence: str = ""
    command: str = ""


def train(
    plan: Plan, recipe: Recipe, on_step: Callable[[Progress], None], on_calibrate: Callable[[int, int], None]
) -> Report:
    """Train, calibrate on rows that training did not see, measure on the same, and write `plan.out`.

    A run that was interrupted goes on from its last checkpoint in `plan.out`/checkpoints. Returns the report on the
    unseen rows, weighted to the mix.
    """
    base = Checkpoint(plan.checkpoint)
    rows = _read(plan.data, plan.columns)
    labels = sorted({label for row in rows for label in row.labels})
    mix = plan.mix or shares(rows)
    training, _ = split_held_out(rows, plan.held_out, plan.held_out_floor)
    drawn = draw(training, plan.examples, mix, plan.mix_floor, plan.repeats, recipe.seed)
    seen = read_seen(plan.checkpoint) | {row.id for row in drawn}
    unseen = _unseen(rows, seen, plan, mix, recipe.seed)
    model = new_classifier(base, plan.pooling, len(labels), tf.bfloat16 if recipe.bfloat16 else tf.float32)
    tokenizer = base.tokenizer(recipe.tokens)
    fine_tune(model, tokenizer, drawn, labels, recipe, plan.out / "checkpoints", on_step)

    model.compute_in(tf.float32)  # LiteRT has no bfloat16
    tokenizer.enable_truncation(plan.max_tokens)
    logits = _logits(model, tokenizer, unseen, labels, plan.threads, on_calibrate)
    truth, weights = label_matrix(unseen, labels), mix_weights(unseen, mix)
    calibration = platt(logits, truth, weights)
    scores = sigmoid(calibration.apply(logits))
    report = evaluate(scores, truth, weights, labels, best_threshold(scores, truth, weights))
    (plan.out / SEEN).write_text("".join(f"{row}\n" for row in sorted(seen)), "utf-8")
    save(model, base, tokenizer, _record(plan, recipe, base, labels, calibration, report, len(drawn)), plan.out)
    return report


def _read(files: Iterable[Path], columns: Columns) -> list[Row]:
    rows = [row for path in files for row in read_rows(path, columns)]
    if not rows:
        raise DataError("the data files hold no rows with labels")
    return rows


def _unseen(rows: Sequence[Row], seen: Set[str], plan: Plan, mix: Mapping[str, float], seed: int) -> list[Row]:
    try:
        wanted = re.compile(plan.calibrate_on)
    except re.error as exc:
        raise DataError(f"{plan.calibrate_on!r} is no regular expression: {exc}") from exc
    unseen = draw(
        [row for row in rows if row.id not in seen and wanted.search(row.id)],
        plan.calibration,
        mix,
        plan.mix_floor,
        1,
        seed,
    )
    if not unseen:
        raise DataError(f"no row to calibrate on: training saw all whose id matches {plan.calibrate_on!r}")
    return unseen


def _logits(
    model: BertClassifier,
    tokenizer: Tokenizer,
    rows: Sequence[Row],
    labels: Sequence[str],
    threads: int,
    on_row: Callable[[int, int], None],
) -> Floats:
    """Logits [rows, labels] of the int8 graph: what is calibrated is what is served."""
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "logits.tflite"
        graph.write_bytes(convert(ServingModule(model, Calibration.identity(len(labels)), "none"), "int8"))
        engine = LiteRTEngine(graph, len(labels), threads)
        logits = np.zeros((len(rows), len(labels)), np.float32)
        for i, row in enumerate(rows):
            logits[i] = engine.scores(tokenizer.encode(row.text).ids)
            on_row(i + 1, len(rows))
        engine.close()
    return logits


def _record(
    plan: Plan,
    recipe: Recipe,
    base: Checkpoint,
    labels: Sequence[str],
    calibration: Calibration,
    report: Report,
    drawn: int,
) -> Record:
    before = read_record(base.path) if (base.path / RECORD).is_file() else None
    return Record(
        labels=tuple(labels),
        activation="sigmoid",
        pooling=plan.pooling,
        calibration=calibration,
        threshold=report.threshold,
        max_tokens=plan.max_tokens,
        checkpoint=before.checkpoint if before else base.provenance(),
        training={
            "command": plan.command,
            "examples": drawn,
            "mix": dict(plan.mix),
            "recipe": asdict(recipe),
            "data": digests(plan.data),
            **({"after": {"digest": base.digest(), **before.training}} if before else {}),
        },
        scores={"held_out": report.summary()},
        licence=plan.licence,
        created=datetime.now(UTC).date().isoformat(),
    )
