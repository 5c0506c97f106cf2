"""The queue in front of the engine; the engine here is one that the test can hold still."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model.artifact import Artifact, sha256_of, write_manifest
from model.classifier import Classifier
from model.engines.base import Engine
from model.errors import EngineError, ModelUnavailable, Overloaded
from tests.model.test_artifact import write_artifact

WAIT = 10.0


class HeldEngine(Engine):
    """Says when a text has begun, and lets it end when told to."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.closed = False

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        self.began.release()
        if not self.may_end.acquire(timeout=WAIT):
            raise EngineError("held for too long")
        return (0.25, 0.75)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def artifact(tmp_path: Path, tokenizer: Tokenizer) -> Artifact:
    folder = write_artifact(tmp_path / "tiny")
    manifest = Artifact.open(folder).manifest
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {**manifest.files, "tokenizer.json": sha256_of(folder / "tokenizer.json")}
    write_manifest(folder, replace(manifest, files=files))
    return Artifact.open(folder)


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def make(artifact: Artifact, engine: HeldEngine) -> Callable[..., Classifier]:
    def build(queue_size: int = 1, queue_deadline: float = WAIT) -> Classifier:
        return Classifier(
            artifact,
            threads=1,
            queue_size=queue_size,
            queue_deadline=queue_deadline,
            make_engine=lambda _artifact, _threads: engine,
        )

    return build


def test_scores_a_text_and_times_it(make: Callable[..., Classifier], engine: HeldEngine) -> None:
    classifier = make()
    assert not classifier.loaded
    engine.may_end.release()
    answer = classifier.classify("stars galaxies")
    assert answer.scores == (0.25, 0.75)
    assert 0 <= answer.queue_seconds < answer.model_seconds
    assert (answer.tokens, answer.tokens_read) == (4, 4)
    assert classifier.loaded


def test_tells_how_much_of_a_long_text_was_read(make: Callable[..., Classifier], engine: HeldEngine) -> None:
    engine.may_end.release()
    answer = make().classify("stars galaxies " * 150)
    assert (answer.tokens, answer.tokens_read) == (302, 128)


def test_the_text_beyond_the_queue_is_turned_away_at_once(
    make: Callable[..., Classifier], engine: HeldEngine, pool: ThreadPoolExecutor
) -> None:
    classifier = make(queue_size=1)
    running = pool.submit(classifier.classify, "stars")
    assert engine.began.acquire(timeout=WAIT)
    others = [pool.submit(classifier.classify, text) for text in ("proof", "cells")]
    refused, waiting = wait(others, WAIT, FIRST_COMPLETED)
    assert isinstance(refused.pop().exception(), Overloaded)
    assert classifier.waiting == 1
    engine.may_end.release(2)
    assert running.result(WAIT).scores == waiting.pop().result(WAIT).scores
    assert classifier.waiting == 0


def test_a_text_that_waits_past_its_deadline_is_turned_away_and_leaves_its_place(
    make: Callable[..., Classifier], engine: HeldEngine, pool: ThreadPoolExecutor
) -> None:
    classifier = make(queue_size=1, queue_deadline=0.05)
    running = pool.submit(classifier.classify, "stars")
    assert engine.began.acquire(timeout=WAIT)
    for _ in range(3):
        with pytest.raises(Overloaded, match=r"busy for 0\.05 seconds") as caught:
            classifier.classify("proof")
        assert caught.value.retry_after > 0
    engine.may_end.release()
    assert running.result(WAIT).scores


def test_a_failing_engine_does_not_keep_its_place(make: Callable[..., Classifier], engine: HeldEngine) -> None:
    classifier = make(queue_size=0)
    engine.scores = lambda ids: (_ for _ in ()).throw(EngineError("broken"))  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(EngineError, match="broken"):
            classifier.classify("stars")


def test_an_unreadable_tokenizer_is_an_engine_error(tmp_path: Path) -> None:
    artifact = Artifact.open(write_artifact(tmp_path / "unreadable"))
    with pytest.raises(EngineError, match="tokenizer"):
        Classifier(artifact, threads=1, queue_size=1, queue_deadline=WAIT).classify("stars")


def test_files_that_were_replaced_since_are_not_loaded(make: Callable[..., Classifier], artifact: Artifact) -> None:
    classifier = make()
    (artifact.path / "model.tflite").write_bytes(b"another graph")
    with pytest.raises(ModelUnavailable, match="have been replaced"):
        classifier.classify("stars")
    (artifact.path / "model.tflite").unlink()
    with pytest.raises(ModelUnavailable, match="have been replaced"):
        classifier.classify("stars")
    assert not classifier.loaded


def test_files_that_are_replaced_while_they_load_are_given_up(artifact: Artifact, engine: HeldEngine) -> None:
    def replace_while_loading(*_: object) -> HeldEngine:
        (artifact.path / "model.tflite").write_bytes(b"another graph")
        return engine

    classifier = Classifier(artifact, threads=1, queue_size=1, queue_deadline=WAIT, make_engine=replace_while_loading)
    with pytest.raises(ModelUnavailable):
        classifier.classify("stars")
    assert engine.closed
    assert not classifier.loaded


def test_close_waits_for_the_running_text_and_a_later_text_loads_anew(
    make: Callable[..., Classifier], engine: HeldEngine, pool: ThreadPoolExecutor
) -> None:
    classifier = make()
    running = pool.submit(classifier.classify, "stars")
    assert engine.began.acquire(timeout=WAIT)
    closing = pool.submit(classifier.close)
    assert not engine.closed
    engine.may_end.release()
    assert running.result(WAIT).scores
    closing.result(WAIT)
    assert engine.closed
    assert not classifier.loaded
    engine.may_end.release()
    assert classifier.classify("proof").scores == (0.25, 0.75)
