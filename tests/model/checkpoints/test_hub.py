"""Pulling from a hub: what is fetched, resumed, verified and refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.checkpoints.hub import KNOWN, describe, pull
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


def _ignore(*_progress: object) -> None:
    pass


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
    heard: list[tuple[str, int, int]] = []
    found = pull("org/tiny", "main", tmp_path / "tiny", lambda *at: heard.append(at))
    names = {"config.json", "vocab.txt", "tokenizer_config.json", "pytorch_model.bin"}
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == names | {"source.json"}
    assert all((tmp_path / "tiny" / name).read_bytes() == FILES[name] for name in names)
    assert json.loads((tmp_path / "tiny" / "source.json").read_text()) == {
        "repository": "org/tiny",
        "revision": COMMIT,
        "licence": "apache-2.0",
    }
    assert found.commit == COMMIT
    assert heard[-2][0] == "pytorch_model.bin" or heard[-1][1:] == (heard[-1][2], heard[-1][2])
    assert not any("README" in path for path in hub.asked)


def test_safetensors_and_tokenizer_json_go_before_their_older_forms(start: StartHub) -> None:
    start(Hub(FILES | {"model.safetensors": b"x", "tokenizer.json": b"{}"}))
    names = [file.name for file in describe("org/tiny", "v1").files]
    assert names == ["config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json"]


def test_an_interrupted_pull_goes_on_where_it_stopped(start: StartHub, tmp_path: Path) -> None:
    hub = start(Hub(FILES, cut_at=300_000))
    with pytest.raises(PullError, match="goes on"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    assert not (tmp_path / "tiny").exists()
    hub.asked.clear()
    pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    assert hub.ranges == ["pytorch_model.bin 300000"]
    assert not any(path.endswith("vocab.txt") for path in hub.asked)
    assert (tmp_path / "tiny" / "pytorch_model.bin").read_bytes() == FILES["pytorch_model.bin"]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "vocab.txt"])
def test_a_file_that_is_not_what_the_hub_says_is_refused_and_fetched_again(
    start: StartHub, tmp_path: Path, name: str
) -> None:
    hub = start(Hub(FILES, corrupt=name))
    with pytest.raises(PullError, match=f"{name} is not what the hub says"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    hub.corrupt = ""
    pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    assert (tmp_path / "tiny" / name).read_bytes() == FILES[name]


def test_the_token_is_shown_to_the_hub_and_not_to_the_storage(
    start: StartHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = start(Hub(FILES, token="secret"))
    with pytest.raises(PullError, match="HF_TOKEN lacks access"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    monkeypatch.setenv("HF_TOKEN", "secret")
    pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    assert not hub.storage_saw_token


def test_without_a_hub_the_message_says_how_to_hand_over_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PullError, match=r"cannot be reached.*config\.json.*--from DIR"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)


def test_what_is_no_model_is_refused(start: StartHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(Hub({"config.json": b"{}", "tf_model.h5": b""}))
    with pytest.raises(PullError, match=r"no tokenizer\.json and no model\.safetensors"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)
    with pytest.raises(PullError, match="no such model or revision"):
        pull("org/other", "main", tmp_path / "tiny", _ignore)
    with pytest.raises(PullError, match="not the id of a model"):
        pull("../etc", "main", tmp_path / "tiny", _ignore)
    monkeypatch.setenv("HF_ENDPOINT", "file:///")
    with pytest.raises(PullError, match="HF_ENDPOINT"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)


def test_a_checkpoint_that_is_there_is_not_overwritten(start: StartHub, tmp_path: Path) -> None:
    start(Hub(FILES))
    (tmp_path / "tiny").mkdir()
    with pytest.raises(PullError, match="model remove tiny"):
        pull("org/tiny", "main", tmp_path / "tiny", _ignore)


def test_known_models_are_pinned_to_a_commit() -> None:
    assert set(KNOWN) == {"scibert", "bert"}
    assert all(len(revision) == 40 for _, revision in KNOWN.values())
