"""Store URLs."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from storage.backends.memory import MemoryBackend
from storage.backends.sqlite.backend import SQLiteBackend
from storage.connect import open_backend
from storage.errors import BadOptions


def test_memory() -> None:
    assert isinstance(open_backend("memory://"), MemoryBackend)


@pytest.mark.parametrize("name", ["store.db", "with%20space.db", "sub/folder/store.db"])
def test_sqlite_absolute(tmp_path: Path, name: str) -> None:
    backend = open_backend(f"sqlite:///{tmp_path}/{name}", timeout=timedelta(seconds=7))
    backend.ping()
    backend.close()
    assert isinstance(backend, SQLiteBackend)
    assert backend._timeout == 7
    assert (tmp_path / name.replace("%20", " ")).is_file()


def test_sqlite_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = open_backend("sqlite:///store.db")
    backend.ping()
    backend.close()
    assert (tmp_path / "store.db").is_file()


@pytest.mark.parametrize(
    "url", ["", "store.db", "redis://localhost", "sqlite://", "sqlite:///", "sqlite://host/store.db", "sqlite:///a?b=c"]
)
def test_bad_url(url: str) -> None:
    with pytest.raises(BadOptions, match="sqlite://"):
        open_backend(url)


def test_secrets_of_a_bad_url_are_not_repeated() -> None:
    with pytest.raises(ValueError) as caught:
        open_backend("redis://user:hunter2@localhost")
    assert "hunter2" not in str(caught.value)


def test_drivers_are_imported_lazily() -> None:
    script = "import sys, storage.connect; print([m for m in ('sqlite3', 'couchbase') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == "[]\n"
