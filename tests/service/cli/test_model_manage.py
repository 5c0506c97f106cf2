"""What is installed: remove, default, reload, and the refusal of options that would be ignored."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.artifact import HEAD, Artifact, Manifest, sha256_of, write_manifest
from service.front.running import announced
from tests.service.cli.conftest import CommandServices, Run, failed
from tests.service.conftest import write_artifact


def _write_shared(folder: Path, name: str, encoder: Artifact) -> None:
    path = folder / name
    path.mkdir()
    (path / HEAD).write_bytes(b"head")
    base = {key: getattr(encoder.manifest, key) for key in Manifest.__dataclass_fields__}
    shared = {"name": encoder.name, "digest": encoder.digest}
    files = {HEAD: sha256_of(path / HEAD)}
    write_manifest(path, Manifest(**base | {"name": name, "files": files, "encoder": shared}))


def test_remove_takes_models_and_checkpoints_and_nothing_else(
    run: Run, opened: CommandServices, model_dir: Path
) -> None:
    write_artifact(model_dir, "mine")
    checkpoint = opened.settings.data_dir / "checkpoints" / "scibert"
    checkpoint.mkdir(parents=True)
    assert run("model", "remove", "mine").exit_code == 0
    assert run("model", "remove", "scibert").exit_code == 0
    assert not (model_dir / "mine").exists()
    assert not checkpoint.exists()
    assert "neither a model nor a checkpoint" in failed(run("model", "remove", "mine"))
    assert "neither" in failed(run("model", "remove", "../models"))
    assert (model_dir / "arxiv-mini").is_dir()


def test_an_encoder_that_others_share_is_not_removed(run: Run, model_dir: Path) -> None:
    _write_shared(model_dir, "mini-single", Artifact.open(model_dir / "arxiv-mini"))
    assert "mini-single shares the encoder of arxiv-mini" in failed(run("model", "remove", "arxiv-mini"))
    assert (model_dir / "arxiv-mini").is_dir()
    assert run("model", "remove", "mini-single").exit_code == 0


def test_default_writes_env_for_models_that_are_ready(
    run: Run, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSTRACTS_ENV_FILE", str(tmp_path / ".env"))
    (tmp_path / ".env").write_text("ABSTRACTS_PORT=8001\nABSTRACTS_DEFAULT_MODEL=old\n")
    assert "model install scibert-multi" in failed(run("model", "default", "scibert-multi"))
    assert run("model", "default", "arxiv-mini").exit_code == 0
    assert (tmp_path / ".env").read_text() == "ABSTRACTS_PORT=8001\nABSTRACTS_DEFAULT_MODEL=arxiv-mini\n"
    monkeypatch.setenv("ABSTRACTS_DEFAULT_MODEL", "other")
    assert "goes before .env" in failed(run("model", "default", "arxiv-mini"))


def test_reload_without_a_server_says_so(run: Run, opened: CommandServices) -> None:
    assert "no server" in failed(run("model", "reload"))
    with announced(opened.settings):
        pass
    assert "no server" in failed(run("model", "reload"))
    stale = opened.settings.data_dir / f"serve-{opened.settings.port}.pid"
    stale.write_text("1")
    assert "no server runs on port" in failed(run("model", "reload"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--head", "single"), "--head needs --frozen"),
        (("--epochs", "3"), "--epochs needs --frozen"),
        (("--frozen", "--batch", "8"), "--batch is not for --frozen"),
        (("--frozen", "--tokens", "64"), "--tokens is not for --frozen"),
        (("--frozen", "--calibrate-on", "x"), "--calibrate-on is not for --frozen"),
    ],
)
def test_train_refuses_options_that_it_would_ignore(
    run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("")
    result = run("model", "train", "--from", "arxiv-mini", "--data", data, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert message in result.output


def test_a_name_that_is_nowhere_says_how_to_get_it(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("")
    result = run("model", "train", "--frozen", "--from", "scibert", "--data", data, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "model pull scibert" in " ".join(result.output.split())


def test_restamp_takes_over_what_was_made_for_another_normal_form(
    run: Run, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Artifact.open(model_dir / "arxiv-mini")
    _write_shared(model_dir, "mini-single", encoder)
    monkeypatch.setattr("model.artifact.NORMALISER_VERSION", 99)
    folders = [str(model_dir / name) for name in ("arxiv-mini", "mini-single")]
    assert "made for normaliser" in failed(run("model", "verify", folders[0]))
    assert run("model", "restamp", *folders).exit_code == 0
    stamped = Artifact.open(model_dir / "mini-single")
    assert stamped.encoder is not None
    assert stamped.encoder.manifest.normaliser == 99
    assert stamped.encoder.digest != encoder.digest
    assert stamped.encoder.manifest.files == encoder.manifest.files


def test_restamp_leaves_what_is_wrong_otherwise_as_it_was(run: Run, model_dir: Path) -> None:
    _write_shared(model_dir, "mini-single", Artifact.open(model_dir / "arxiv-mini"))
    other = replace(Artifact.open(model_dir / "arxiv-mini").manifest, max_tokens=99)
    write_manifest(model_dir / "arxiv-mini", other)
    before = (model_dir / "mini-single" / "manifest.json").read_text()
    assert "shares the encoder" in failed(run("model", "restamp", str(model_dir / "mini-single")))
    assert (model_dir / "mini-single" / "manifest.json").read_text() == before
