"""Classifiers that share a budget: engines here count how often they were opened and closed."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model.artifact import Artifact, sha256_of, write_manifest
from model.budget import MemoryBudget
from model.classifier import Classifier
from model.engines.base import Engine
from model.errors import EngineError, ModelUnavailable
from tests.model.test_artifact import write_artifact

MIB = 1 << 20
WAIT = 10.0


class Counted(Engine):
    """Counts the engines that are open at once, and the most that ever were."""

    lock = threading.Lock()
    open = 0
    most = 0

    def __init__(self) -> None:
        with Counted.lock:
            Counted.open += 1
            Counted.most = max(Counted.most, Counted.open)

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        return (0.25, 0.75)

    def close(self) -> None:
        with Counted.lock:
            Counted.open -= 1


@pytest.fixture
def artifacts(tmp_path: Path, tokenizer: Tokenizer) -> list[Artifact]:
    Counted.open = Counted.most = 0
    found = []
    for name in ("first", "second", "third"):
        folder = write_artifact(tmp_path / name)
        manifest = Artifact.open(folder).manifest
        tokenizer.save(str(folder / "tokenizer.json"))
        files = {**manifest.files, "tokenizer.json": sha256_of(folder / "tokenizer.json")}
        write_manifest(folder, replace(manifest, files=files))
        found.append(Artifact.open(folder))
    return found


def _classifiers(artifacts: list[Artifact], budget: MemoryBudget) -> list[Classifier]:
    return [
        Classifier(
            artifact, threads=1, queue_size=8, queue_deadline=WAIT, make_engine=lambda *_: Counted(), budget=budget
        )
        for artifact in artifacts
    ]


def test_the_one_that_ran_longest_ago_leaves_and_comes_back(artifacts: list[Artifact]) -> None:
    first, second, third = _classifiers(artifacts, MemoryBudget(40 * MIB))  # two fit: 16 MiB each, and a little
    for classifier in (first, second, first, third):
        classifier.classify("stars")
    assert [classifier.loaded for classifier in (first, second, third)] == [True, False, True]
    assert second.classify("stars").scores == (0.25, 0.75)
    assert not first.loaded
    assert Counted.most == 2
    for classifier in (first, second, third):
        classifier.close()
    assert Counted.open == 0


def test_many_threads_over_more_models_than_fit_never_hold_more_and_all_get_answers(artifacts: list[Artifact]) -> None:
    budget = MemoryBudget(20 * MIB)
    classifiers = _classifiers(artifacts, budget)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda i: classifiers[i % 3].classify("stars").scores, range(120)))
    assert set(answers) == {(0.25, 0.75)}
    assert Counted.most == 1
    assert budget.used <= 20 * MIB
    for classifier in classifiers:
        classifier.close()
    assert (Counted.open, budget.used) == (0, 0)


def test_a_model_that_fails_to_load_takes_no_room(artifacts: list[Artifact]) -> None:
    budget = MemoryBudget(20 * MIB)

    def fail(*_: object) -> Engine:
        raise EngineError("told to fail")

    broken = Classifier(artifacts[0], threads=1, queue_size=1, queue_deadline=WAIT, make_engine=fail, budget=budget)
    with pytest.raises(EngineError, match="told to fail"):
        broken.classify("stars")
    assert budget.used == 0


def test_a_model_beyond_the_limit_is_refused(artifacts: list[Artifact]) -> None:
    (classifier,) = _classifiers(artifacts[:1], MemoryBudget(8 * MIB))
    with pytest.raises(ModelUnavailable, match="needs about 17 MiB"):
        classifier.classify("stars")
    assert Counted.most == 0
