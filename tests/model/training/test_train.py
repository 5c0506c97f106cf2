"""The whole road on a tiny BERT: files of abstracts -> fine-tuned, calibrated checkpoint -> artifact -> scores."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import read_record, read_seen
from model.classifier import Classifier
from model.errors import CheckpointError, DataError, TrainingError
from model.training.build import Precision, build_artifact
from model.training.data.draw import read_mix
from model.training.data.rows import digests
from model.training.encoders import build_head
from model.training.finetune import Progress, Recipe
from model.training.train import Plan, train
from tests.model.tiny import write_trained

TOPICS = {"astro-ph": ("stars", "galaxies"), "math": ("proof", "theorem"), "q-bio": ("cells",), "q-fin": ("market",)}
RECIPE = Recipe(tokens=16, batch=8, learning_rate=6e-3)


def _write_data(path: Path, rows: int = 600) -> Path:
    random = np.random.default_rng(7)
    with path.open("w") as file:
        for i in range(rows):
            primary = list(TOPICS)[i % 4]
            labels = sorted({primary, list(TOPICS)[int(random.integers(4))]})
            words = [w for label in labels for w in random.choice(TOPICS[label], 3)]
            row = {"id": str(i), "abstract": " ".join(random.permutation(words)), "primary": primary, "labels": labels}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def plan(checkpoint: Path, tmp_path: Path) -> Plan:
    data = _write_data(tmp_path / "train.jsonl")
    return Plan(checkpoint, (data,), tmp_path / "out", 480, held_out=0.2, max_tokens=24, threads=1, command="train it")


def _ignore(*_progress: object) -> None:
    pass


def _stop_at(step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_step


def test_learns_calibrates_builds_and_serves(plan: Plan, tmp_path: Path) -> None:
    steps: list[Progress] = []
    report = train(plan, RECIPE, steps.append, _ignore)["labels"]
    assert steps[-1].step == steps[-1].steps == 60
    assert steps[-1].loss < steps[0].loss
    assert report.micro_f1 > 0.95
    assert report.top1 > 0.97

    record = read_record(plan.out)
    assert record.labels == tuple(sorted(TOPICS))
    assert record.training["data"] == digests(plan.data)
    assert record.training["command"] == "train it"
    assert record.threshold == report.threshold

    artifact = build_artifact(plan.out, tmp_path / "models" / "tiny", "int8")
    classifier = Classifier(artifact, threads=1, queue_size=1, queue_deadline=5)
    scores = dict(zip(record.labels, classifier.classify("proof theorem proof").scores, strict=True))
    classifier.close()
    assert max(scores, key=lambda label: scores[label]) == "math"
    assert (artifact.manifest.max_tokens, artifact.manifest.precision) == (24, "int8")


def test_float32_and_int8_artifacts_of_one_checkpoint_agree(plan: Plan, tmp_path: Path) -> None:
    train(plan, RECIPE, _ignore, _ignore)
    scores = []
    precisions: tuple[Precision, ...] = ("int8", "float32")
    for precision in precisions:
        artifact = build_artifact(plan.out, tmp_path / precision, precision)
        classifier = Classifier(artifact, threads=1, queue_size=1, queue_deadline=5)
        scores.append(classifier.classify("stars cells stars").scores)
        classifier.close()
    assert np.abs(np.diff(scores, axis=0)).max() < 0.05


def test_an_interrupted_run_ends_with_the_weights_of_one_that_was_not(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.finetune._SAVE_EVERY", 20)
    whole = replace(plan, out=tmp_path / "whole")
    train(whole, RECIPE, _ignore, _ignore)
    with pytest.raises(KeyboardInterrupt):
        train(plan, RECIPE, _stop_at(33), _ignore)
    resumed: list[Progress] = []
    train(plan, RECIPE, resumed.append, _ignore)
    assert resumed[0].step == 21
    one, other = (load_file(p.out / "model.safetensors") for p in (whole, plan))
    assert max(np.abs(one[name] - other[name]).max() for name in one) < 1e-4


def test_going_on_from_a_trained_checkpoint_calibrates_on_what_neither_run_saw(plan: Plan, tmp_path: Path) -> None:
    first = replace(plan, examples=200, repeats=1)
    train(first, RECIPE, _ignore, _ignore)
    second = replace(first, checkpoint=first.out, out=tmp_path / "second", command="go on")
    report = train(second, replace(RECIPE, seed=1), _ignore, _ignore)["labels"]
    assert report.micro_f1 > 0.95
    one, both = read_seen(first.out), read_seen(second.out)
    assert len(one) == 200
    assert one < both
    assert report.rows == 600 - len(both)

    before, after = read_record(first.out), read_record(second.out)
    assert after.checkpoint == before.checkpoint
    assert after.training["command"] == "go on"
    assert after.training["after"] == {"digest": Checkpoint(first.out).digest(), **before.training}


def _with_categories(plan: Plan, folder: Path) -> Plan:
    """Two categories for each archive but q-bio, which some rows have undivided."""
    lines = []
    for line in plan.data[0].read_text().splitlines():
        row = json.loads(line)
        words = row["abstract"].split()
        names = [label if label == "q-bio" else f"{label}.{words[0][0].upper()}" for label in row["labels"]]
        names += [f"q-bio.{i}" for i in range(2) if "q-bio" in names and int(row["id"]) % 3 == i]
        lines.append(f"{row['id']}\t{' '.join(n for n in names if n != 'q-bio' or len(names) == len(row['labels']))}")
    path = folder / "categories.tsv"
    path.write_text("\n".join(lines[:590]) + "\n")
    return replace(plan, categories=path)


@pytest.mark.parametrize("fit_heads", [0, 60])
def test_heads_are_trained_together_and_built_on_one_encoder(plan: Plan, tmp_path: Path, fit_heads: int) -> None:
    plan = replace(_with_categories(plan, tmp_path), examples=400, repeats=1, calibration=100, fit_heads=fit_heads)
    stages: list[str] = []
    reports = train(plan, RECIPE, _ignore, lambda stage, *_: stages.append(stage))
    assert list(reports) == ["labels", "primary", "categories", "category"]
    assert reports["labels"].micro_f1 > 0.95
    assert ("features" in stages) == bool(fit_heads)
    assert len(read_seen(plan.out)) == pytest.approx(400 + fit_heads, abs=4)

    base = build_artifact(plan.out, tmp_path / "models" / "tiny", "int8")
    fine = build_head(plan.out / "categories", base.path, tmp_path / "models" / "tiny-fine")
    assert fine.encoder is not None
    assert fine.encoder.digest == base.digest
    assert fine.manifest.training["categories"] == digests([plan.categories or Path()])
    assert set(fine.manifest.groups.values()) <= set(TOPICS)
    classifier = Classifier(fine, threads=1, queue_size=1, queue_deadline=5)
    scores = dict(zip(fine.manifest.labels, classifier.classify("proof theorem proof proof").scores, strict=True))
    classifier.close()
    assert max(scores, key=lambda label: scores[label]).startswith("math.")

    other = build_artifact(write_trained(tmp_path / "other"), tmp_path / "models" / "other", "int8")
    with pytest.raises(CheckpointError, match="not trained with it"):
        build_head(plan.out / "categories", other.path, tmp_path / "models" / "wrong")


def test_layers_that_are_frozen_stay_as_they_are(plan: Plan) -> None:
    train(plan, replace(RECIPE, frozen_layers=1), _ignore, _ignore)
    before, after = (load_file(folder / "model.safetensors") for folder in (plan.checkpoint, plan.out))
    same = {name for name in before if np.array_equal(before[name], after[f"bert.{name}"])}
    assert {name for name in before if ".layer.0." in name or ".word_" in name} <= same
    assert not {name for name in before if ".layer.1." in name} & same


def test_an_artifact_is_trained_further_and_does_not_calibrate_on_what_it_saw(plan: Plan, tmp_path: Path) -> None:
    first = replace(plan, examples=200, repeats=1)
    train(first, RECIPE, _ignore, _ignore)
    artifact = build_artifact(first.out, tmp_path / "models" / "tiny", "int8")
    second = replace(first, checkpoint=artifact.path, out=tmp_path / "second")
    report = train(second, replace(RECIPE, seed=1), _ignore, _ignore)["labels"]
    assert report.micro_f1 > 0.95
    assert read_seen(first.out) <= read_seen(second.out / "restored")
    assert read_record(second.out).training["after"]["examples"] == 200

    part = tmp_path / "part.jsonl"
    part.write_text(plan.data[0].read_text().replace("stars", "star"))
    with pytest.raises(DataError, match="cannot be told"):
        train(replace(second, data=(*second.data, part), out=tmp_path / "third"), RECIPE, _ignore, _ignore)


def test_a_run_is_not_resumed_with_another_recipe(plan: Plan) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(plan, RECIPE, _stop_at(1), _ignore)
    with pytest.raises(TrainingError, match="another learning_rate"):
        train(plan, replace(RECIPE, learning_rate=1e-3), _ignore, _ignore)


def test_a_diverging_loss_stops_the_run(plan: Plan) -> None:
    with pytest.raises(TrainingError, match="learning rate"):
        train(plan, replace(RECIPE, learning_rate=1e30, clip_norm=1e30), _ignore, _ignore)


def test_calibrates_on_unseen_rows_of_the_wanted_ids_only(plan: Plan) -> None:
    read: list[int] = []
    report = train(replace(plan, calibrate_on="[05]$"), RECIPE, _ignore, lambda _stage, row, _rows: read.append(row))[
        "labels"
    ]
    assert report.rows == len(read)
    assert 0 < len(read) < 600 / 5
    for pattern, fault in (("never", "training saw all"), ("[", "no regular expression")):
        with pytest.raises(DataError, match=fault):
            train(replace(plan, calibrate_on=pattern), RECIPE, _ignore, _ignore)


def test_data_without_rows_is_refused(plan: Plan) -> None:
    plan.data[0].write_text("\n")
    with pytest.raises(DataError, match="no rows"):
        train(plan, RECIPE, _ignore, _ignore)


def test_an_untrained_folder_cannot_be_built(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no classifier\.json"):
        build_artifact(checkpoint, tmp_path / "x", "int8")


def test_read_mix_refuses_what_is_no_mix(tmp_path: Path) -> None:
    path = tmp_path / "mix.json"
    path.write_text('{"cs": 0.6, "math": 0.4}')
    assert read_mix(path) == {"cs": 0.6, "math": 0.4}
    for bad in ("{}", "[]", '{"cs": "much"}', '{"cs": -1}', "{"):
        path.write_text(bad)
        with pytest.raises(DataError, match=r"mix\.json"):
            read_mix(path)
