"""An app over a store in memory, with a real artifact folder and a stand-in for the engine's work."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from config import load_settings
from model.artifact import TOKENIZER, WEIGHTS, Artifact, Manifest, sha256_of, write_manifest
from model.classifier import Classification as Scores
from model.classifier import Classifier
from service.app import Application, create_app
from service.bootstrap import Services
from tests.service.faults import FailingBackend
from tests.service.front.lane_client import LaneClient, make_lane

LABELS = ("astro-ph", "cs", "hep-ph", "math")
THRESHOLD = 0.5
ABSTRACT = "We measure the mass of the top quark in proton collisions at a centre-of-mass energy of 13 TeV."


class StandIn:
    """Scores a text by its hash; counts its runs; can be held up and made to fail."""

    loaded = True
    waiting = 0

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failures: list[Exception] = []
        self.tokens: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def classify(self, text: str) -> Scores:
        self.texts.append(text)
        self.entered.release()
        assert self.gate.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        digest = hashlib.sha256(text.encode()).digest()
        tokens = self.tokens or len(text.split()) + 2
        scores = tuple(digest[i] / 255 for i in range(len(LABELS)))
        return Scores(scores, tokens, min(tokens, 256), 0.001, 0.002)

    def derive(self, _other: Scores) -> None:
        """It shares nothing."""

    def close(self) -> None:
        self.gate.set()


class TestServices(Services):
    """Services whose engine is a stand-in and whose store can be made to fail."""

    __test__ = False

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(load_settings(variables))
        self.engine = StandIn()
        self.store = FailingBackend()
        self.__dict__["backend"] = self.store

    def make_classifier(self, artifact: Artifact) -> Classifier:
        return cast(Classifier, self.engine)

    def stored(self, namespace: str = "results") -> int:
        """How many entries the store holds."""
        return sum(1 for _ in self.backend.scan(namespace))


def write_artifact(folder: Path, name: str, **changes: Any) -> Path:
    """A complete artifact but for the meaning of its files."""
    path = folder / name
    path.mkdir(parents=True)
    for file in (TOKENIZER, WEIGHTS):
        (path / file).write_bytes(f"{name} {file}".encode())
    values: dict[str, Any] = {
        "name": name,
        "labels": LABELS,
        "activation": "sigmoid",
        "pooling": "mean",
        "calibration": {},
        "threshold": THRESHOLD,
        "max_tokens": 256,
        "precision": "int8",
        "files": {file: sha256_of(path / file) for file in (TOKENIZER, WEIGHTS)},
        "trained": True,
    }
    write_manifest(path, Manifest(**(values | changes)))
    return path


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    write_artifact(tmp_path / "models", "arxiv-mini")
    return tmp_path / "models"


MakeServices = Callable[..., TestServices]


@pytest.fixture
def make_services(model_dir: Path, tmp_path: Path) -> Iterator[MakeServices]:
    made: list[TestServices] = []

    def make(**settings: str) -> TestServices:
        variables = {"STORE_URL": "memory://", "MODEL_DIR": str(model_dir), "DATA_DIR": str(tmp_path)}
        variables |= {"LOG_LEVEL": "WARNING", **settings}
        made.append(TestServices({f"ABSTRACTS_{name}": value for name, value in variables.items()}))
        return made[-1]

    yield make
    for services in made:
        services.close()


@pytest.fixture
def services(make_services: MakeServices) -> TestServices:
    return make_services()


@pytest.fixture
def app(services: TestServices) -> Application:
    return create_app(services=services)


@pytest.fixture
def key(services: TestServices) -> str:
    return services.keys.create("test", ["predict", "read"])[1]


@pytest.fixture
def client(app: Application, key: str) -> FlaskClient:
    """A client that presents a good key."""
    return with_key(app, key)


def with_key(app: Application, key: str) -> FlaskClient:
    app.test_client_class = type("Client", (LaneClient,), {"lane": make_lane(app.services)})
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client
