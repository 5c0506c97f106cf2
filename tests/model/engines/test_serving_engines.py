"""The engines over an exported SavedModel: in this process, and over TensorFlow Serving's REST API.

With TFSERVING_TEST_URL, the contract runs against that server, which must serve the model `tiny` (see
tests/model/tiny.py); what needs faults is tested against the tests' own server in any case.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bench.savedmodel import SavedModelEngine
from model.engines.base import Engine
from model.engines.litert import LiteRTEngine
from model.engines.tfserving import TFServingEngine, is_available
from model.errors import CheckpointError, EngineError
from model.training.build import build_artifact
from model.training.export import export_saved_model
from tests.contracts.engine import IDS, LABELS, EngineContract
from tests.contracts.engine_server import ServingServer
from tests.model.tiny import write_trained


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    export_saved_model(write_trained(folder / "trained"), folder / "models", "tiny")
    return folder


@pytest.fixture(scope="module")
def running(base: Path) -> Iterator[ServingServer]:
    server = ServingServer(base / "models")
    yield server
    server.close()


@pytest.fixture
def server(running: ServingServer) -> Iterator[ServingServer]:
    yield running
    running.state, running.fault = "AVAILABLE", ""
    running.resume.set()


class TestSavedModel(EngineContract):
    @pytest.fixture(autouse=True)
    def _base(self, base: Path) -> None:
        self.folder = base / "models" / "tiny" / "1"

    def make(self) -> Engine:
        return SavedModelEngine(self.folder, LABELS)


class TestTFServing(EngineContract):
    @pytest.fixture(autouse=True)
    def _url(self, request: pytest.FixtureRequest) -> None:
        self.url = os.environ.get("TFSERVING_TEST_URL") or request.getfixturevalue("running").url

    def make(self) -> Engine:
        return TFServingEngine(self.url, "tiny", LABELS)


def test_all_engines_give_the_same_scores(base: Path, server: ServingServer) -> None:
    artifact = build_artifact(base / "trained", base / "artifacts" / "tiny", "float32")
    engines: list[Engine] = [
        LiteRTEngine(artifact.graph, LABELS, 1),
        SavedModelEngine(base / "models" / "tiny" / "1", LABELS),
        TFServingEngine(server.url, "tiny", LABELS),
    ]
    scores = np.array([engine.scores(IDS) for engine in engines])
    for engine in engines:
        engine.close()
    assert np.ptp(scores, axis=0).max() < 1e-5
    assert scores.std() > 0.01


def test_an_export_is_versioned_and_carries_labels_and_warm_up(base: Path, tmp_path: Path) -> None:
    first = export_saved_model(base / "trained", tmp_path, "tiny")
    second = export_saved_model(base / "trained", tmp_path, "tiny")
    assert [path.name for path in (first, second)] == ["1", "2"]
    assert (second / "assets" / "labels.txt").read_text().split() == ["astro-ph", "math", "q-bio"]
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {"1", "2"}
    records = list(tf.data.TFRecordDataset(str(second / "assets.extra" / "tf_serving_warmup_requests")))
    assert len(records) == 2
    tensor = tf.make_tensor_proto([[2, 3]], tf.int32).SerializeToString()
    assert tensor in records[0].numpy()
    # PredictionLog.predict_log(6).request(1).model_spec(1).name(1): each a tag, a length, and what it holds
    head = records[0].numpy()
    assert (head[0], head[2], head[4], head[6]) == (6 << 3 | 2, 1 << 3 | 2, 1 << 3 | 2, 1 << 3 | 2)
    assert head[8:12] == b"tiny"


def test_an_untrained_head_is_not_exported(tmp_path: Path) -> None:
    folder = write_trained(tmp_path / "trained")
    record = (folder / "classifier.json").read_text()
    (folder / "classifier.json").write_text(record.replace('"trained": true', '"trained": false'))
    with pytest.raises(CheckpointError, match="never trained"):
        export_saved_model(folder, tmp_path / "out", "tiny")


def test_a_folder_that_is_no_saved_model_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nothing"):
        SavedModelEngine(tmp_path / "nothing", LABELS)


def test_one_connection_carries_many_texts_and_is_made_anew_when_it_was_closed(server: ServingServer) -> None:
    before = server.connections
    engine = TFServingEngine(server.url, "tiny", LABELS)
    scores = [engine.scores(IDS) for _ in range(5)]
    assert server.connections == before + 1
    server.hang_up()
    assert engine.scores(IDS) == scores[0]
    assert server.connections == before + 2
    engine.close()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("error", "status 400: input must be a matrix"),
        ("nan", "finite"),
        ("garbage", "not JSON"),
        ("slow", "timed out"),
    ],
)
def test_what_the_server_gets_wrong_is_an_engine_error_and_passes(
    server: ServingServer, fault: str, message: str
) -> None:
    server.resume.clear()
    engine = TFServingEngine(server.url, "tiny", LABELS, timeout=0.5 if fault == "slow" else 10)
    server.fault = fault
    with pytest.raises(EngineError, match=message):
        engine.scores(IDS)
    server.fault = ""
    assert len(engine.scores(IDS)) == LABELS
    engine.close()


def test_a_model_that_is_not_there_or_not_ready_is_an_engine_error(server: ServingServer) -> None:
    with pytest.raises(EngineError, match="Could not find any versions of model other"):
        TFServingEngine(server.url, "other", LABELS)
    server.state = "LOADING"
    with pytest.raises(EngineError, match="no version is available, only LOADING"):
        TFServingEngine(server.url, "tiny", LABELS)


def test_no_server_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="refused"):
        TFServingEngine("http://127.0.0.1:9", "tiny", LABELS)
    with pytest.raises(EngineError, match="not the http"):
        TFServingEngine("ftp://127.0.0.1", "tiny", LABELS)


def test_another_number_of_labels_is_an_engine_error(server: ServingServer) -> None:
    engine = TFServingEngine(server.url, "tiny", LABELS + 1)
    with pytest.raises(EngineError, match="4 labels"):
        engine.scores(IDS)
    engine.close()


def test_a_probe_tells_whether_a_model_is_available(server: ServingServer) -> None:
    assert is_available(server.url, "tiny", 10)
    assert not is_available(server.url, "other", 10)
    server.state = "END"
    assert not is_available(server.url, "tiny", 10)
    assert not is_available("http://127.0.0.1:9", "tiny", 10)
