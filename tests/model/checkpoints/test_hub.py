"""Pulling from a hub: what is fetched, resumed, verified and refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.checkpoints.hub import KNOWN, pull
from model.errors import PullError
from tests.model.checkpoints.hub_server import COMMIT, Hub, serve_hub

FILES = {
    "config.json": b"{}",
    "vocab.txt": b"[PAD]\n",
    "tokenizer_config.json": b'{"do_lower_case": true}',
    "pytorch_model.bin": bytes(range(256)) * 4000,
    "flax_model.msgpack": b"not wanted",
    "README.md": b"# not wanted",
}


StartHub = Callable[[Hub], Hub]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartHub]:
    servers = []

    def begin(hub: Hub) -> Hub:
        servers.append(serve_hub(hub))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{servers[-1].server_address[1]}/")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        return hub

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def test_only_what_is_needed_comes_and_is_whole(start: StartHub, tmp_path: Path) -> None:
    hub = start(Hub(FILES))
    pull("org/tiny", "main", tmp_path / "tiny")
    names = {"config.json", "vocab.txt", "tokenizer_config.json", "pytorch_model.bin"}
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == names | {"source.json"}
    assert all((tmp_path / "tiny" / name).read_bytes() == FILES[name] for name in names)
    assert json.loads((tmp_path / "tiny" / "source.json").read_text()) == {
        "repository": "org/tiny",
        "revision": COMMIT,
        "licence": "apache-2.0",
    }
    assert set(hub.fetched) == names


def test_safetensors_and_tokenizer_json_go_before_their_older_forms(start: StartHub, tmp_path: Path) -> None:
    start(Hub(FILES | {"model.safetensors": b"x", "tokenizer.json": b"{}"}))
    pull("org/tiny", "v1", tmp_path / "tiny")
    names = {"config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json", "source.json"}
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == names


def test_an_interrupted_pull_keeps_the_files_that_are_there(start: StartHub, tmp_path: Path) -> None:
    hub = start(Hub(FILES, cut_at=300_000))
    with pytest.raises(PullError, match="no longer") as caught:
        pull("org/tiny", "main", tmp_path / "tiny")
    assert caught.value.unreachable
    assert not (tmp_path / "tiny").exists()
    hub.cut_at = None
    hub.fetched.clear()
    pull("org/tiny", "main", tmp_path / "tiny")
    assert hub.fetched == ["pytorch_model.bin"]
    assert (tmp_path / "tiny" / "pytorch_model.bin").read_bytes() == FILES["pytorch_model.bin"]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "vocab.txt"])
def test_a_file_that_is_not_what_the_hub_says_is_refused_and_fetched_again(
    start: StartHub, tmp_path: Path, name: str
) -> None:
    hub = start(Hub(FILES, corrupt=name))
    with pytest.raises(PullError, match=f"{name} is not what the hub says"):
        pull("org/tiny", "main", tmp_path / "tiny")
    hub.corrupt = ""
    pull("org/tiny", "main", tmp_path / "tiny")
    assert (tmp_path / "tiny" / name).read_bytes() == FILES[name]


def test_the_token_is_shown_to_the_hub_and_not_to_the_storage(
    start: StartHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = start(Hub(FILES, token="secret"))
    with pytest.raises(PullError, match="HF_TOKEN lacks access"):
        pull("org/tiny", "main", tmp_path / "tiny")
    monkeypatch.setenv("HF_TOKEN", "secret")
    pull("org/tiny", "main", tmp_path / "tiny")
    assert not hub.storage_saw_token


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "file:///", "nonsense"])
def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(PullError, match="cannot be reached") as caught:
        pull("org/tiny", "main", tmp_path / "tiny")
    assert caught.value.unreachable


def test_what_is_no_model_is_refused(start: StartHub, tmp_path: Path) -> None:
    start(Hub({"config.json": b"{}", "tf_model.h5": b""}))
    with pytest.raises(PullError, match=r"no tokenizer\.json and no model\.safetensors"):
        pull("org/tiny", "main", tmp_path / "tiny")
    with pytest.raises(PullError, match="has no org/other at main"):
        pull("org/other", "main", tmp_path / "tiny")
    with pytest.raises(PullError, match="not the id of a model"):
        pull("../etc/x", "main", tmp_path / "tiny")
    with pytest.raises(PullError, match="has no org/tiny at nowhere"):
        pull("org/tiny", "nowhere", tmp_path / "tiny")


def test_known_models_are_pinned_to_a_commit() -> None:
    assert set(KNOWN) == {"scibert", "bert"}
    assert all(len(revision) == 40 for _, revision in KNOWN.values())
