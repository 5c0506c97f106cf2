from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.checkpoints.checkpoint import Checkpoint
from model.engines.base import Engine
from model.engines.head import Calibration
from model.engines.litert import LiteRTEngine
from model.errors import EngineError
from model.training.bert import new_classifier
from model.training.build import ServingModule, convert
from tests.contracts.engine import IDS, LABELS, EngineContract
from tests.model.conftest import random_tensors, write_checkpoint


def write_graph(folder: Path, head: float = 1.0) -> Path:
    """A float32 graph of the tiny BERT whose head is random, or constant NaN."""
    model = new_classifier(Checkpoint(write_checkpoint(folder, random_tensors())), "mean", LABELS, tf.float32)
    model.head.kernel.assign(head * np.random.default_rng(1).normal(size=(16, LABELS)))
    graph = folder / "model.tflite"
    graph.write_bytes(convert(ServingModule(model, Calibration.identity(LABELS), "sigmoid"), "float32"))
    return graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_graph(tmp_path_factory.mktemp("graph"))


class TestLiteRT(EngineContract):
    @pytest.fixture(autouse=True)
    def _graph(self, graph: Path) -> None:
        self.graph = graph

    def make(self) -> Engine:
        return LiteRTEngine(self.graph, LABELS, threads=1)


def test_a_graph_that_gives_nan_is_an_engine_error(tmp_path: Path) -> None:
    engine = LiteRTEngine(write_graph(tmp_path, head=float("nan")), LABELS, threads=1)
    with pytest.raises(EngineError, match="finite"):
        engine.scores(IDS)
    engine.close()


def test_a_graph_with_another_number_of_labels_is_an_engine_error(graph: Path) -> None:
    engine = LiteRTEngine(graph, LABELS + 1, threads=1)
    with pytest.raises(EngineError, match="4 labels"):
        engine.scores(IDS)
    engine.close()


def test_a_file_that_is_no_graph_is_an_engine_error(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"not a graph at all")
    with pytest.raises(EngineError, match=r"model\.tflite"):
        LiteRTEngine(path, LABELS, threads=1)


def test_it_recovers_from_a_text_that_the_graph_cannot_take(graph: Path) -> None:
    engine = LiteRTEngine(graph, LABELS, threads=1)
    before = engine.scores(IDS)
    with pytest.raises(EngineError):
        engine.scores([])
    assert engine.scores(IDS) == before
    engine.close()
