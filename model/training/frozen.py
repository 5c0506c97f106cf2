"""Heads on frozen encoders: files of labelled abstracts -> features -> a calibrated, measured head.

The encoder is a checkpoint's, and a trained checkpoint comes out; or an artifact's, and an artifact comes out that
shares its encoder and is a few tens of KB. Only the former needs the `train` extra (TensorFlow).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from model.arrays import ACTIVATIONS, Floats
from model.artifact import MANIFEST, Pooling
from model.checkpoints.record import Record
from model.engines.head import Calibration
from model.errors import DataError
from model.training.calibrate import calibrated
from model.training.data.draw import draw, mix_weights, shares, split_held_out
from model.training.data.labelsets import ACTIVATION, Kind, LabelSet, label_set, read_categories
from model.training.data.rows import Columns, Row, digests, read_all
from model.training.encoders import ArtifactEncoder, CheckpointEncoder, FrozenEncoder, cache_name, compute_features
from model.training.evaluate import Report, evaluate
from model.training.logistic import HeadRecipe, Split, fit_head


@dataclass(frozen=True, slots=True)
class FrozenPlan:
    """What head to train on what.

    source: a checkpoint's or an artifact's folder. kind: `multi` (sigmoid over all of a row's labels) or `single`
    (softmax over its primary). examples: rows drawn. mix: share of each primary that scores are calibrated to; empty:
    as in the data. mix_floor: smallest share of a primary drawn. categories: a file of fine categories by id, which are
    the labels then. held_out: share of the drawn rows kept from training, one half to stop and calibrate by, the other
    to measure on. max_tokens: of a checkpoint; an artifact has its own.
    """

    source: Path
    data: tuple[Path, ...]
    out: Path
    kind: Kind
    examples: int = 20_000
    columns: Columns = field(default_factory=Columns)
    mix: Mapping[str, float] = field(default_factory=dict)
    mix_floor: float = 0.015
    categories: Path | None = None
    held_out: float = 0.2
    pooling: Pooling = "mean"
    max_tokens: int = 256
    threads: int = 2
    licence: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """What hears how far the work is: (rows there, rows in all), and (epoch, epochs at most, validation loss)."""

    on_row: Callable[[int, int], None]
    on_epoch: Callable[[int, int, float], None]


def train_frozen(plan: FrozenPlan, recipe: HeadRecipe, listener: Listener) -> Report:
    """Train, calibrate and measure a head, and write it to `plan.out`; the report is on rows that nothing else saw.

    Features are kept in `plan.out`/work (of an artifact: beside it, in .NAME-work), from where an interrupted run goes
    on. DataError, TrainingError, CheckpointError, ArtifactError, EngineError.
    """
    encoder = _encoder(plan)
    rows = read_all(plan.data, plan.columns)
    labels = label_set(rows, plan.kind, read_categories(plan.categories) if plan.categories else None)
    if len(labels.labels) < 2:
        raise DataError(f"the data have only the label {', '.join(labels.labels)}: a head needs two")
    rows = labels.known(rows)
    mix = plan.mix or shares(rows)
    rows = draw(rows, min(plan.examples, len(rows)), mix, plan.mix_floor, 1, recipe.seed)
    features = _features(encoder, rows, plan, listener.on_row)
    training, validation, test = _split(rows, features, labels, mix, plan.held_out)
    head = fit_head(plan.kind, training, validation, recipe, listener.on_epoch)
    logits = head.logits(validation.features)
    calibration, threshold = calibrated(plan.kind, logits, validation.truth, validation.weights)
    scores = ACTIVATIONS[ACTIVATION[plan.kind]](calibration.apply(head.logits(test.features)))
    report = evaluate(scores, test.truth, test.weights, labels.labels, threshold)
    encoder.save(head, _record(plan, recipe, encoder, labels, calibration, report, len(training.features)))
    return report


def _encoder(plan: FrozenPlan) -> FrozenEncoder:
    if (plan.source / MANIFEST).is_file():
        return ArtifactEncoder(plan.source, plan.out)
    return CheckpointEncoder(plan.source, plan.out, plan.pooling, plan.max_tokens)


def _features(
    encoder: FrozenEncoder, rows: Sequence[Row], plan: FrozenPlan, on_row: Callable[[int, int], None]
) -> Floats:
    texts = [row.text for row in rows]
    engine, tokenizer = encoder.open(plan.threads)
    try:
        cache = encoder.work / cache_name(encoder.digest, encoder.max_tokens, texts)
        return compute_features(engine, tokenizer, texts, cache, on_row)
    finally:
        engine.close()


def _split(
    rows: Sequence[Row], features: Floats, labels: LabelSet, mix: Mapping[str, float], held_out: float
) -> list[Split]:
    """Training, validation and test, the same for the same rows."""
    where = {id(row): i for i, row in enumerate(rows)}
    training, rest = split_held_out(rows, held_out, floor=0)
    test, validation = split_held_out(rest, 0.5, floor=0)
    if not training or not test or not validation:
        raise DataError(f"{len(rows)} rows are too few to hold {held_out:.0%} of each label out: give more data")
    return [
        Split(features[[where[id(row)] for row in part]], labels.truth(part), mix_weights(part, mix))
        for part in (training, validation, test)
    ]


def _record(
    plan: FrozenPlan,
    recipe: HeadRecipe,
    encoder: FrozenEncoder,
    labels: LabelSet,
    calibration: Calibration,
    report: Report,
    examples: int,
) -> Record:
    by_label = {item.label: round(item.f1, 4) for item in report.labels}
    return Record(
        labels=labels.labels,
        activation=ACTIVATION[plan.kind],
        pooling=encoder.pooling,
        calibration=calibration,
        threshold=report.threshold,
        max_tokens=encoder.max_tokens,
        checkpoint=encoder.provenance,
        training={
            "command": plan.command,
            "frozen": True,
            "examples": examples,
            "mix": dict(plan.mix),
            "recipe": asdict(recipe),
            "data": digests(plan.data),
            **({"categories": digests([plan.categories])} if plan.categories else {}),
        },
        scores={"held_out": {**report.summary(), "f1": by_label}},
        licence=plan.licence,
        created=datetime.now(UTC).date().isoformat(),
    )
