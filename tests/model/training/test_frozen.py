"""The whole road to a head on a frozen encoder: of a checkpoint, and of an artifact that then shares its encoder."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.artifact import Artifact
from model.checkpoints.record import read_record
from model.classifier import Classifier
from model.errors import ArtifactError, DataError
from model.registry import Registry
from model.training.build import build_artifact
from model.training.frozen import FrozenPlan, Listener, train_frozen
from model.training.logistic import HeadRecipe
from tests.model.tiny import write_trained

TOPICS = {"astro-ph": ("stars", "galaxies"), "math": ("proof", "theorem"), "q-bio": ("cells",), "q-fin": ("market",)}
QUIET = Listener(lambda *at: None, lambda *at: None)
RECIPE = HeadRecipe(epochs=40, learning_rate=2e-2, batch=32)


def _write_data(path: Path, rows: int = 400) -> Path:
    random = np.random.default_rng(7)
    with path.open("w") as file:
        for i in range(rows):
            primary = list(TOPICS)[i % 4]
            words = [str(word) for word in random.choice(TOPICS[primary], 4)]
            labels = [primary] + (["math"] if i % 8 == 0 else [])
            words += ["proof", "theorem"] if i % 8 == 0 else []
            record = {"id": str(i), "abstract": " ".join(words), "categories": " ".join(f"{x}.AA" for x in labels)}
            file.write(json.dumps(record) + "\n")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return _write_data(tmp_path / "arxiv.jsonl")


def _scores(artifact: Artifact, text: str) -> dict[str, float]:
    classifier = Classifier(artifact, threads=1, queue_size=1, queue_deadline=10)
    scores = classifier.classify(text).scores
    classifier.close()
    return dict(zip(artifact.manifest.labels, scores, strict=True))


def test_a_checkpoint_s_head_is_trained_measured_built_and_served(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    plan = FrozenPlan(checkpoint, (data,), tmp_path / "out", "multi", max_tokens=24, threads=1, command="train it")
    rows: list[tuple[int, int]] = []
    report = train_frozen(plan, RECIPE, Listener(lambda *at: rows.append(at), lambda *at: None))
    assert rows[-1] == (400, 400)
    assert report.micro_f1 > 0.9
    record = read_record(plan.out)
    assert record.training["command"] == "train it"
    assert record.scores["held_out"]["micro_f1"] == round(report.micro_f1, 4)
    assert set(record.scores["held_out"]["f1"]) == set(TOPICS)
    artifact = build_artifact(plan.out, tmp_path / "models" / "tiny-multi", "int8")
    scores = _scores(artifact, "stars galaxies galaxies stars")
    assert max(scores, key=lambda label: scores[label]) == "astro-ph"
    assert artifact.manifest.activation == "sigmoid"


def test_features_are_computed_once(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    plan = FrozenPlan(checkpoint, (data,), tmp_path / "out", "multi", examples=80, max_tokens=24, threads=1)
    train_frozen(plan, RECIPE, QUIET)
    again: list[tuple[int, int]] = []
    train_frozen(plan, HeadRecipe(epochs=3), Listener(lambda *at: again.append(at), lambda *at: None))
    assert again == []


def test_a_head_shares_an_artifact_s_encoder(data: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    base = build_artifact(write_trained(tmp_path / "trained"), models / "tiny", "float32")
    plan = FrozenPlan(models / "tiny", (data,), models / "tiny-single", "single", threads=1)
    report = train_frozen(plan, RECIPE, QUIET)
    assert report.top1 > 0.9

    artifact = Artifact.open(models / "tiny-single")
    assert artifact.manifest.encoder == {"name": "tiny", "digest": base.digest}
    assert artifact.digest != base.digest
    assert sum(file.stat().st_size for file in artifact.path.iterdir()) < 100_000
    scores = _scores(artifact, "market market market market")
    assert max(scores, key=lambda label: scores[label]) == "q-fin"
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
    assert Registry(models, "tiny", shipped=tmp_path / "none").get("tiny-single").state == "ready"


def test_a_head_does_not_run_on_another_encoder(data: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    build_artifact(write_trained(tmp_path / "trained"), models / "tiny", "float32")
    train_frozen(
        FrozenPlan(models / "tiny", (data,), models / "head", "single", examples=100, threads=1), RECIPE, QUIET
    )
    build_artifact(write_trained(tmp_path / "other", head=2.0), models / "tiny", "int8")
    with pytest.raises(ArtifactError, match=r"shares the encoder of tiny sha256:.*installed is sha256:"):
        Artifact.open(models / "head")
    assert Registry(models, "tiny", shipped=tmp_path / "none").get("head").state == "damaged"
    with pytest.raises(ArtifactError, match="head"):
        train_frozen(FrozenPlan(models / "head", (data,), models / "third", "single"), RECIPE, QUIET)


def test_data_that_teach_nothing_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    plan = FrozenPlan(checkpoint, (path,), tmp_path / "out", "multi", max_tokens=24, threads=1)
    path.write_text(json.dumps({"abstract": "stars", "labels": []}) + "\n")
    with pytest.raises(DataError, match="no rows with labels"):
        train_frozen(plan, RECIPE, QUIET)
    path.write_text("".join(json.dumps({"abstract": "stars", "labels": ["cs"]}) + "\n" for _ in range(9)))
    with pytest.raises(DataError, match="only the label cs"):
        train_frozen(plan, RECIPE, QUIET)
    path.write_text("".join(json.dumps({"abstract": "stars", "labels": [x]}) + "\n" for x in ("cs", "math")))
    with pytest.raises(DataError, match="too few"):
        train_frozen(plan, RECIPE, QUIET)
