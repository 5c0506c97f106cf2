"""A new artifact is picked up by a real server without a request being dropped."""

import http.client
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from model.artifact import SHIPPED, Artifact, write_manifest
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Server:
    models = tmp_path / "models"
    shutil.copytree(SHIPPED / "arxiv-mini", models / "arxiv-mini")
    server = Server(tmp_path)
    server.variables["ABSTRACTS_MODEL_DIR"] = str(models)
    return server


def _change(folder: Path) -> str:
    """Another digest over the same files, as a model trained anew has; returns it."""
    manifest = Artifact.open(folder).manifest
    fields = {key: getattr(manifest, key) for key in type(manifest).__dataclass_fields__}
    changed = type(manifest)(**fields | {"max_tokens": manifest.max_tokens - 1})
    write_manifest(folder, changed)
    return changed.digest()


class Load(threading.Thread):
    """Asks again and again, each time over a connection of its own, and keeps what it was told."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.answers: list[tuple[int, str]] = []
        self.failures: list[Exception] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                status, _, body = self.server.predict()
                self.answers.append((status, body.get("model_digest", "")))
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as exc:
                self.failures.append(exc)


def test_reload_takes_the_new_artifact_and_drops_nothing(server: Server, tmp_path: Path) -> None:
    with server.running() as running:
        old = running.predict()[2]["model_digest"]
        load = Load(server)
        load.start()
        try:
            until(lambda: len(load.answers) > 5)
            new = _change(tmp_path / "models" / "arxiv-mini")
            _reload(server, tmp_path)
            until(lambda: load.answers[-1][1] == new, seconds=60)
        finally:
            load.stop.set()
            load.join()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert {digest for _, digest in load.answers} == {old, new}


def _reload(server: Server, folder: Path) -> Any:
    """The command, in a process of its own as an operator runs it."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "model", "reload"]
    root = Path(__file__).parents[3]
    environ = {"PYTHONPATH": str(root), **server.variables}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert server.process is not None
    assert f"process {server.process.pid}" in done.stderr
    assert server.process.poll() is None
    return done


def test_the_model_that_was_told_to_load_is_the_one_that_was_verified(server: Server, tmp_path: Path) -> None:
    with server.running() as running:
        graph = tmp_path / "models" / "arxiv-mini" / "model.tflite"
        data = graph.read_bytes()
        graph.unlink()
        graph.write_bytes(data)  # the same bytes, but another file: it was not verified
        status, _, body = running.predict(f"{ABSTRACT} Another.")
        assert status == 503
        assert "model reload" in body["remedy"]
