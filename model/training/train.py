"""The whole road from files of labelled abstracts to a trained, calibrated, measured checkpoint and its heads.

Needs the `train` extra (TensorFlow).
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tokenizers import Tokenizer

from model.arrays import ACTIVATIONS, Floats
from model.artifact import HEAD, MANIFEST, Artifact, Pooling
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import RECORD, SEEN, Record, read_record, read_seen
from model.engines.head import Calibration, LinearHead, load_head
from model.engines.litert import LiteRTEngine
from model.errors import DataError
from model.training.bert import BertClassifier, new_classifier
from model.training.build import convert_encoder, save
from model.training.calibrate import calibrated
from model.training.data.draw import draw, mix_weights, shares, split_held_out
from model.training.data.labelsets import ACTIVATION, LabelSet, label_set, read_categories
from model.training.data.rows import Columns, Row, digests, read_all
from model.training.dequantise import restore
from model.training.encoders import cache_name, compute_features, save_head
from model.training.evaluate import Report, evaluate
from model.training.finetune import Progress, Recipe, fine_tune
from model.training.logistic import HeadRecipe, Split, fit_head

OnRows = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train on what.

    checkpoint: a pretrained one, or one that training left behind, or an artifact, to go on from. examples: rows drawn
    for training. mix: share of each primary label that scores are calibrated to; empty: as in the data. mix_floor:
    smallest share of a primary label among the rows drawn. repeats: how often a rare label's row may be drawn.
    held_out, held_out_floor: see `split_held_out`. calibration: rows to calibrate and measure on, out of those that
    these weights were never trained on and whose id `calibrate_on` (a regular expression) finds. categories: a file of
    fine categories by id; there are heads for these, and for the primary labels, then. fit_heads: unseen rows to fit
    all heads to once more at the end, as `head` says. max_tokens: read when serving and calibrating.
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
    categories: Path | None = None
    fit_heads: int = 0
    head: HeadRecipe = field(default_factory=HeadRecipe)
    pooling: Pooling = "mean"
    max_tokens: int = 256
    threads: int = 2
    licence: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """What a plan comes to: the checkpoint to go on from, rows to train on, rows that it never sees, the heads.

    seen: ids of all that any weight was fitted to. fitting: rows for the heads alone.
    """

    plan: Plan
    recipe: Recipe
    base: Checkpoint
    drawn: list[Row]
    seen: set[str]
    unseen: list[Row]
    fitting: list[Row]
    mix: Mapping[str, float]
    sets: list[LabelSet]


def train(plan: Plan, recipe: Recipe, on_step: Callable[[Progress], None], on_rows: OnRows) -> dict[str, Report]:
    """Train, calibrate on rows that training did not see, measure on the same, and write `plan.out`.

    The checkpoint there has the head for the rows' labels; another head is in a folder of its set's name in it. A run
    that was interrupted goes on from its last checkpoint in `plan.out`/checkpoints. Returns the reports on the unseen
    rows, weighted to the mix, by set. `on_rows` hears (stage, rows or epochs done, in all) of what follows the steps.
    """
    run = _prepare(plan, recipe)
    outputs = [len(labels.labels) for labels in run.sets]
    model = new_classifier(run.base, plan.pooling, sum(outputs), tf.bfloat16 if recipe.bfloat16 else tf.float32)
    first = [_first_head(run, labels, model.encoder.config.hidden_size) for labels in run.sets]
    model.head.kernel.assign(np.concatenate([head.kernel for head in first], 1))
    model.head.bias.assign(np.concatenate([head.bias for head in first]))
    tokenizer = run.base.tokenizer(recipe.tokens)
    fine_tune(model, tokenizer, run.drawn, run.sets, recipe, plan.out / "checkpoints", on_step)

    model.compute_in(tf.float32)  # LiteRT has no bfloat16
    tokenizer.enable_truncation(plan.max_tokens)
    heads = model.split_head(outputs)
    unseen, fitting = _features(run, model, tokenizer, on_rows)
    if plan.fit_heads:
        fitted = [_fitted(run, labels, fitting, unseen, on_rows) for labels in run.sets]
        heads = [_mean(heads[0], fitted[0]), *fitted[1:]]
    (plan.out / SEEN).write_text("".join(f"{row}\n" for row in sorted(run.seen)), "utf-8")
    measured = [_measured(run, labels, head.logits(unseen)) for labels, head in zip(run.sets, heads, strict=True)]
    for labels, head, (record, _) in list(zip(run.sets, heads, measured, strict=True))[1:]:
        save_head(head, record, plan.out / labels.name)
    save(model.with_head(heads[0]), run.base, tokenizer, measured[0][0], plan.out)
    return {labels.name: report for labels, (_, report) in zip(run.sets, measured, strict=True)}


def _first_head(run: _Run, labels: LabelSet, hidden: int) -> LinearHead:
    """What the checkpoint has for these labels; else one that knows nothing but how frequent each is."""
    folder = run.base.path if labels is run.sets[0] else run.base.path / labels.name
    if (folder / RECORD).is_file() and read_record(folder).labels == labels.labels:
        if folder == run.base.path:
            return LinearHead(*run.base.tensors().linear("classifier", hidden, len(labels.labels)))
        return load_head(folder / HEAD, len(labels.labels))
    return LinearHead(np.zeros((hidden, len(labels.labels)), np.float32), labels.log_odds(labels.truth(run.drawn)))


def _prepare(plan: Plan, recipe: Recipe) -> _Run:
    rows = read_all(plan.data, plan.columns)
    mix = plan.mix or shares(rows)
    training, _ = split_held_out(rows, plan.held_out, plan.held_out_floor)
    base = Checkpoint(_checkpoint(plan, training))
    drawn = draw(training, plan.examples, mix, plan.mix_floor, plan.repeats, recipe.seed)
    seen = read_seen(base.path) | {row.id for row in drawn}
    unseen = _unseen(rows, seen, plan, mix, recipe.seed)
    others = seen | {row.id for row in unseen}
    left = [row for row in rows if row.id not in others] if plan.fit_heads else []
    if plan.fit_heads and not left:
        raise DataError("no row to fit the heads to: all are trained or calibrated on")
    fitting = draw(left, plan.fit_heads, mix, plan.mix_floor, 1, recipe.seed)
    seen |= {row.id for row in fitting}
    sets = _sets(rows, plan.categories)
    return _Run(plan, recipe, base, drawn, seen, unseen, fitting, mix, sets)


def _sets(rows: Sequence[Row], file: Path | None) -> list[LabelSet]:
    """The labels; where there are categories, a softmax over either's primary ones makes the encoder better."""
    if file is None:
        return [label_set(rows, "multi")]
    categories = read_categories(file)
    return [
        label_set(rows, "multi"),
        label_set(rows, "single"),
        label_set(rows, "multi", categories),
        label_set(rows, "single", categories),
    ]


def _checkpoint(plan: Plan, training: Sequence[Row]) -> Path:
    """The folder to go on from; an artifact is turned back into one, in `plan.out`/restored."""
    if not (plan.checkpoint / MANIFEST).is_file():
        return plan.checkpoint
    folder = plan.out / "restored"
    if not (folder / RECORD).is_file():
        artifact = Artifact.open(plan.checkpoint)
        restore(artifact, folder, _seen_by(artifact.manifest.training, training, plan))
    return folder


def _seen_by(training: Mapping[str, Any], rows: Sequence[Row], plan: Plan) -> set[str]:
    """Ids of the rows that an artifact's runs have seen, and of a few more: they are drawn again.

    An artifact does not have them. DataError if the data are only in part those of its training.
    """
    given, seen = set(digests(plan.data).values()), set()
    while training.get("recipe") and not training.get("frozen"):
        known = set(training["data"].values())
        if given & known and given != known:
            raise DataError("which rows the model saw cannot be told: give all files of its training, or none of them")
        if given == known:
            size = training["examples"] + len(training["mix"])  # each label's share had been rounded down
            mix = training["mix"] or shares(rows)
            seen |= {row.id for row in draw(rows, size, mix, plan.mix_floor, plan.repeats, training["recipe"]["seed"])}
        training = training.get("after", {})
    return seen


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


def _features(run: _Run, model: BertClassifier, tokenizer: Tokenizer, on_rows: OnRows) -> tuple[Floats, Floats]:
    """[rows, hidden] of the unseen rows and of those to fit heads to, by the int8 graph: what is calibrated is served.

    They are kept in `plan.out`/work.
    """
    encoder, work = f"{run.base.digest()} {asdict(run.recipe)}", run.plan.out / "work"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "encoder.tflite"
        graph.write_bytes(convert_encoder(model))
        engine = LiteRTEngine(graph, int(model.head.bias.shape[0]), run.plan.threads)
        for stage, rows in (("calibrating", run.unseen), ("features", run.fitting)):
            if rows:
                texts = [row.text for row in rows]
                cache = work / cache_name(encoder, run.plan.max_tokens, texts)
                found.append(compute_features(engine, tokenizer, texts, cache, partial(on_rows, stage)))
        engine.close()
    return found[0], found[-1]


def _fitted(run: _Run, labels: LabelSet, fitting: Floats, unseen: Floats, on_rows: OnRows) -> LinearHead:
    """A head for the features of rows that training never saw, of which the encoder does not know the answers."""
    training, validation = _split(labels, run.fitting, fitting, run.mix), _split(labels, run.unseen, unseen, run.mix)

    def on_epoch(epoch: int, epochs: int, _loss: float) -> None:
        on_rows(f"head for {labels.name}", epoch, epochs)

    return fit_head(labels.kind, training, validation, run.plan.head, on_epoch)


def _mean(trained: LinearHead, fitted: LinearHead) -> LinearHead:
    """For labels of which training has shown enough, both together are better than either."""
    return LinearHead((trained.kernel + fitted.kernel) / 2, (trained.bias + fitted.bias) / 2)


def _split(labels: LabelSet, rows: Sequence[Row], features: Floats, mix: Mapping[str, float]) -> Split:
    """Of the rows whose labels are known."""
    known = labels.known(rows)
    ids = {id(row) for row in known}
    return Split(features[[id(row) in ids for row in rows]], labels.truth(known), mix_weights(known, mix))


def _measured(run: _Run, labels: LabelSet, logits: Floats) -> tuple[Record, Report]:
    """A head's record and report, from its logits of the unseen rows."""
    unseen = _split(labels, run.unseen, logits, run.mix)
    calibration, threshold = calibrated(labels.kind, unseen.features, unseen.truth, unseen.weights)
    scores = ACTIVATIONS[ACTIVATION[labels.kind]](calibration.apply(unseen.features))
    report = evaluate(scores, unseen.truth, unseen.weights, labels.labels, threshold)
    return _record(run, labels, calibration, report), report


def _record(run: _Run, labels: LabelSet, calibration: Calibration, report: Report) -> Record:
    plan, base = run.plan, run.base
    before = read_record(base.path) if (base.path / RECORD).is_file() else None
    return Record(
        labels=labels.labels,
        activation=ACTIVATION[labels.kind],
        pooling=plan.pooling,
        calibration=calibration,
        threshold=report.threshold,
        max_tokens=plan.max_tokens,
        checkpoint=before.checkpoint if before else base.provenance(),
        training={
            "command": plan.command,
            "examples": len(run.drawn),
            "mix": dict(plan.mix),
            "recipe": asdict(run.recipe),
            **({"fit_heads": {"examples": len(run.fitting), "recipe": asdict(plan.head)}} if plan.fit_heads else {}),
            "data": digests(plan.data),
            **({"categories": digests([plan.categories])} if plan.categories else {}),
            **({"after": {"digest": base.digest(), **before.training}} if before else {}),
        },
        scores={"held_out": report.summary()},
        licence=plan.licence,
        created=datetime.now(UTC).date().isoformat(),
    )
