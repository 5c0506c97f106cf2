"""Heads that share an encoder: what a group keeps down, and that one run of the graph serves all."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from model.artifact import HEAD, SHIPPED, Artifact, write_artifact
from model.classifier import Classifier
from model.engines.base import Encoded
from model.engines.head import Head, LinearHead, ceilings
from model.errors import EngineError
from model.labels import arxiv_groups, arxiv_names
from model.text import normalise

TEXTS = tuple(
    normalise(text)
    for text in (
        "We measure the mass of the top quark in proton-proton collisions at a centre-of-mass energy of 13 TeV.",
        "We prove that every finitely generated group acting freely on a tree is free, and give a bound on its rank.",
        "A neural network is trained to translate sentences; its attention weights show which words it aligns.",
        "The spread of an epidemic on a network of contacts is estimated from mobile phone records by Bayes' rule.",
        "We price options under rough volatility by a deep network and compare with Monte Carlo simulation.",
        "Nous étudions la courbe de lumière d'une étoile variable à partir de données photométriques de cinq nuits.",
        "量子計算機における誤り訂正符号の閾値を数値計算により評価した。",
        "lorem ipsum dolor sit amet " * 300,
    )
)
CATEGORIES = tuple(
    label for label in arxiv_names() if "." in label or not any(c.startswith(f"{label}.") for c in arxiv_names())
)


def write_head(path: Path, encoder: str = "arxiv-mini", seed: int = 0) -> Artifact:
    """A head of random weights for all of arXiv's categories, on a shipped encoder."""
    base = Artifact.open(SHIPPED / encoder)
    hidden, random = base.manifest.architecture["hidden_size"], np.random.default_rng(seed)
    kernel = random.normal(0, 1, (hidden, len(CATEGORIES))).astype(np.float32)
    manifest = asdict(base.manifest) | {
        "labels": CATEGORIES,
        "calibration": {},
        "encoder": {"name": base.name, "digest": base.digest},
        "about": {},
        "groups": arxiv_groups(CATEGORIES),
    }
    return write_artifact(path, {HEAD: LinearHead(kernel, np.zeros(len(CATEGORIES), np.float32)).to_bytes()}, manifest)


def classifier(artifact: Artifact) -> Classifier:
    return Classifier(artifact, threads=1, queue_size=1, queue_deadline=60)


def assert_archives_are_above(artifact: Artifact) -> None:
    assert artifact.encoder is not None
    fine, archives = classifier(artifact), classifier(artifact.encoder)
    groups = artifact.manifest.groups
    for text in TEXTS:
        above = dict(zip(artifact.encoder.manifest.labels, archives.classify(text).scores, strict=True))
        below = dict(zip(artifact.manifest.labels, fine.classify(text).scores, strict=True))
        assert [label for label, score in below.items() if score > above[groups[label]]] == []
    fine.close()
    archives.close()


def test_no_category_is_above_its_archive_in_heads_that_are_shipped_and_whatever_the_head(tmp_path: Path) -> None:
    shipped = [Artifact.open(path.parent) for path in sorted(SHIPPED.glob("*/manifest.json"))]
    for artifact in [artifact for artifact in shipped if artifact.manifest.groups]:
        assert_archives_are_above(artifact)
    for seed in range(3):
        assert_archives_are_above(write_head(tmp_path / f"fine-{seed}", seed=seed))


def test_a_group_keeps_labels_down_whether_it_is_the_heads_or_the_encoders() -> None:
    kernel = np.array([[4, -1, 9, 3]], np.float32)
    places = ceilings(["a", "all", "b", "free"], {"a": "all", "b": "other"}, ["some", "other"])
    head = Head(LinearHead(kernel, np.zeros(4, np.float32)), "sigmoid", places)
    a, all_, b, free = head.scores(Encoded((0.9, 0.25), np.ones(1, np.float32)))
    assert a == all_ == pytest.approx(0.2689, abs=1e-4)
    assert b == 0.25
    assert free == pytest.approx(0.9526, abs=1e-4)


def test_a_head_refuses_features_of_another_length() -> None:
    head = Head(LinearHead(np.zeros((4, 2), np.float32), np.zeros(2, np.float32)), "sigmoid")
    with pytest.raises(EngineError, match="reads 4 features"):
        head.scores(Encoded((), np.zeros(5, np.float32)))
