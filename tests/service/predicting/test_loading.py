"""While a model loads, whatever does not need it is answered: the engine here opens only when it is told to."""

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from config import load_settings
from model.artifact import MANIFEST, TOKENIZER, Artifact, Manifest, sha256_of, write_manifest
from model.engines.base import Engine
from service.app import create_app
from service.bootstrap import Services
from tests.service.conftest import ABSTRACT, LABELS, with_key, write_artifact

WAIT = 10.0


class SlowToLoad(Services):
    """Services whose engines take until `may_load` to open."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(load_settings(variables))
        self.may_load = threading.Event()
        self.may_load.set()
        self.loading = threading.Event()
        self.opened: list[str] = []

    def _make_engine(self, artifact: Artifact, threads: int) -> Engine:
        self.loading.set()
        assert self.may_load.wait(WAIT)
        self.opened.append(artifact.name)
        return Fixed()


class Fixed(Engine):
    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        return (0.9, 0.1, 0.1, 0.1)

    def close(self) -> None:
        pass


def _write(folder: Path, name: str) -> None:
    """An artifact with a tokenizer that works."""
    path = write_artifact(folder, name)
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path / TOKENIZER))
    manifest = json.loads((path / MANIFEST).read_text())
    fields = {key: value for key, value in manifest.items() if key != "digest"} | {"labels": LABELS}
    fields["files"] |= {TOKENIZER: sha256_of(path / TOKENIZER)}
    write_manifest(path, Manifest(**fields))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[SlowToLoad]:
    for name in ("arxiv-mini", "other"):
        _write(tmp_path / "models", name)
    variables = {"STORE_URL": "memory://", "MODEL_DIR": str(tmp_path / "models"), "DATA_DIR": str(tmp_path)}
    variables |= {"LOG_LEVEL": "WARNING", "MODEL_MEMORY_LIMIT": "20"}
    made = SlowToLoad({f"ABSTRACTS_{name}": value for name, value in variables.items()})
    yield made
    made.may_load.set()
    made.close()


def test_hits_and_probes_do_not_wait_for_a_model_that_loads(services: SlowToLoad) -> None:
    app = create_app(services=services)
    client = with_key(app, services.keys.create("me", ["predict", "read"])[1])
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200
    services.may_load.clear()
    services.loading.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            with_key(app, services.keys.create("two", ["predict"])[1]).post,
            "/api/models/other/predict",
            json={"abstract": ABSTRACT},
        )
        assert services.loading.wait(WAIT)
        hit = client.post("/api/predict/", json={"abstract": ABSTRACT})
        assert hit.headers["Cache-Status"] == "abstracts; hit"
        assert client.get("/livez").status_code == 200
        assert client.get("/api/models").status_code == 200
        assert not waiting.done()
        services.may_load.set()
        assert waiting.result(WAIT).status_code == 200


def test_models_beyond_the_memory_limit_take_turns(services: SlowToLoad) -> None:
    client = with_key(create_app(services=services), services.keys.create("me", ["predict"])[1])
    for i, model in enumerate(("arxiv-mini", "other", "arxiv-mini")):
        answer = client.post(f"/api/models/{model}/predict", json={"abstract": f"{ABSTRACT} Number {i}."})
        assert answer.status_code == 200
    assert services.opened == ["arxiv-mini", "other", "arxiv-mini"]
