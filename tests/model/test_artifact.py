import json
from pathlib import Path
from typing import Any

import pytest

from model.artifact import Artifact, Manifest, sha256_of, write_manifest
from model.errors import ArtifactError, ModelUnavailable, UnknownModel
from model.registry import INSTALLABLE, Registry


def write_artifact(folder: Path, **changes: Any) -> Path:
    """A folder that passes verification; its graph is not one, since nothing here runs it."""
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.tflite").write_bytes(b"graph")
    fields: dict[str, Any] = {
        "name": folder.name,
        "labels": ("cs", "math"),
        "activation": "sigmoid",
        "pooling": "mean",
        "calibration": {"scale": [1.0, 1.0], "offset": [0.0, 0.0]},
        "threshold": 0.4,
        "max_tokens": 128,
        "precision": "int8",
        "files": {name: sha256_of(folder / name) for name in ("tokenizer.json", "model.tflite")},
        "trained": True,
    }
    write_manifest(folder, Manifest(**fields | changes))
    return folder


def test_opens_what_was_written(tmp_path: Path) -> None:
    artifact = Artifact.open(write_artifact(tmp_path / "tiny"))
    assert artifact.name == "tiny"
    assert artifact.manifest.labels == ("cs", "math")
    assert artifact.digest == artifact.manifest.digest()


@pytest.mark.parametrize(
    "change", [{"labels": ("math", "cs")}, {"activation": "softmax"}, {"max_tokens": 64}, {"pooling": "cls"}]
)
def test_the_digest_covers_what_decides_the_scores(tmp_path: Path, change: dict[str, Any]) -> None:
    one = Artifact.open(write_artifact(tmp_path / "a" / "tiny"))
    other = Artifact.open(write_artifact(tmp_path / "b" / "tiny", **change))
    assert one.digest != other.digest


def test_the_digest_leaves_out_what_does_not(tmp_path: Path) -> None:
    one = Artifact.open(write_artifact(tmp_path / "a" / "tiny"))
    other = Artifact.open(write_artifact(tmp_path / "b" / "renamed", scores={"x": 1}, threshold=0.5))
    assert one.digest == other.digest


def test_every_altered_or_missing_file_is_named(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "tiny")
    (folder / "tokenizer.json").write_text("{ }")
    (folder / "model.tflite").unlink()
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: SHA-256.*model\.tflite: No such file"):
        Artifact.open(folder)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": 2}, "format 2"),
        ({"labels": ("cs", "cs")}, "two different names"),
        ({"activation": "relu"}, "relu"),
        ({"threshold": 1.5}, "threshold 1.5"),
        ({"max_tokens": 1000}, "max_tokens 1000"),
        ({"normaliser": 99}, "normaliser 99"),
        ({"name": "../up"}, "name"),
        ({"files": {}}, "files"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ArtifactError, match=fault):
        Artifact.open(write_artifact(tmp_path / "tiny", **change))


def test_an_altered_manifest_is_found_out(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "tiny")
    value: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(value | {"labels": ["math", "cs"]}))
    with pytest.raises(ArtifactError, match="altered"):
        Artifact.open(folder)
    (folder / "manifest.json").write_text("[1]")
    with pytest.raises(ArtifactError, match="cannot be used"):
        Artifact.open(folder)


def test_a_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "tiny")
    (tmp_path / "secret").write_text("x")
    files = {name: sha256_of(folder / name) for name in ("tokenizer.json", "model.tflite")}
    write_manifest(folder, Manifest(**_fields(folder) | {"files": files | {"../secret": "0"}}))
    with pytest.raises(ArtifactError, match="leaves the folder"):
        Artifact.open(folder)


def _fields(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    value.pop("digest")
    return value | {"labels": tuple(value["labels"])}


def test_the_registry_lists_shipped_installed_and_installable_models(tmp_path: Path) -> None:
    write_artifact(tmp_path / "shipped" / "arxiv-mini")
    write_artifact(tmp_path / "models" / "mine")
    registry = Registry(tmp_path / "models", "arxiv-mini", shipped=tmp_path / "shipped")
    assert registry.names()[0] == "arxiv-mini"
    assert {listing.name for listing in registry.list()} == {"arxiv-mini", "mine", *INSTALLABLE}
    assert registry.get("mine").require().name == "mine"
    with pytest.raises(ModelUnavailable, match="no scibert with a multi-label head"):
        registry.get("scibert-multi").require()
    with pytest.raises(UnknownModel, match="arxiv-mini"):
        registry.get("nonsense")


def test_an_installed_model_hides_a_shipped_one(tmp_path: Path) -> None:
    write_artifact(tmp_path / "shipped" / "arxiv-mini")
    write_artifact(tmp_path / "models" / "arxiv-mini", max_tokens=64)
    registry = Registry(tmp_path / "models", "arxiv-mini", shipped=tmp_path / "shipped")
    assert registry.get("arxiv-mini").require().manifest.max_tokens == 64


def test_untrained_damaged_and_misnamed_artifacts_are_refused(tmp_path: Path) -> None:
    write_artifact(tmp_path / "raw", trained=False)
    write_artifact(tmp_path / "moved", name="other")
    (write_artifact(tmp_path / "broken") / "model.tflite").write_bytes(b"cut")
    registry = Registry(tmp_path, "raw", shipped=tmp_path / "none")
    with pytest.raises(ModelUnavailable, match="never trained"):
        registry.get("raw").require()
    with pytest.raises(ModelUnavailable, match="names other"):
        registry.get("moved").require()
    with pytest.raises(ModelUnavailable, match=r"model\.tflite: SHA-256"):
        registry.get("broken").require()
    assert str(tmp_path) not in registry.get("broken").reason
