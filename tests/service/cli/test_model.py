"""The commands that show and measure models; training itself is tested where it is done."""

import hashlib
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from model.artifact import Artifact
from service.cli.model import train as model_train
from service.cli.model.source import needs_tensorflow
from service.cli.model.train import train
from tests.service.cli.conftest import Run, failed, parsed
from tests.service.conftest import LABELS, write_artifact


def rows(path: Path, *labels: list[str], **more: Any) -> Path:
    """Labelled abstracts that all differ."""
    lines = [{"abstract": f"abstract number {i}", "labels": row} | more for i, row in enumerate(labels)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def said(i: int) -> list[float]:
    """What the stand-in makes of row i."""
    digest = hashlib.sha256(f"abstract number {i}".encode()).digest()
    return [digest[label] / 255 for label in range(len(LABELS))]


def test_list_names_what_is_ready_and_what_makes_the_others_so(run: Run) -> None:
    found = {listing["name"]: listing for listing in parsed(run("model", "list", "--json"))}
    assert found["arxiv-mini"]["state"] == "ready"
    assert found["arxiv-mini"]["default"] is True
    assert "model install scibert-multi" in found["scibert-multi"]["remedy"]
    assert "arxiv-mini (default)" in run("model", "list").stdout


def test_info_shows_labels_and_provenance(run: Run) -> None:
    found = parsed(run("model", "info", "arxiv-mini", "--json"))
    assert found["labels"] == list(LABELS)
    assert found["digest"].startswith("sha256:")
    assert found["precision"] == "int8"
    table = run("model", "info", "arxiv-mini").stdout
    assert table.splitlines()[-len(LABELS) :] == [f"{label:8}  -     -      -" for label in LABELS]
    assert "scibert-multi" in failed(run("model", "info", "nosuch"))


def test_evaluate_measures_each_file(run: Run, tmp_path: Path) -> None:
    best = [[LABELS[said(i).index(max(said(i)))]] for i in range(4)]
    right = rows(tmp_path / "right.jsonl", *best)
    wrong = rows(tmp_path / "wrong.jsonl", *[[LABELS[said(i).index(min(said(i)))]] for i in range(4)])
    first, second = parsed(run("model", "evaluate", right, wrong, "--json"))
    assert (first["file"], first["rows"], first["top1"]) == ("right.jsonl", 4, 1.0)
    assert (second["file"], second["top1"]) == ("wrong.jsonl", 0.0)
    assert first["threshold"] == 0.5
    assert [label["label"] for label in first["labels"]] == list(LABELS)


def test_evaluate_heeds_threshold_limit_and_weights(run: Run, tmp_path: Path) -> None:
    file = rows(tmp_path / "a.jsonl", *[list(LABELS)] * 3)
    (everything,) = parsed(run("model", "evaluate", file, "--threshold", "0", "--limit", "2", "--json"))
    assert (everything["rows"], everything["micro_f1"], everything["threshold"]) == (2, 1.0, 0.0)
    assert "weight" in failed(run("model", "evaluate", file, "--weight-field", "weight"))
    weighted = rows(tmp_path / "b.jsonl", *[list(LABELS)] * 3, weight=2)
    assert parsed(run("model", "evaluate", weighted, "--weight-field", "weight", "--json"))[0]["rows"] == 3


def test_evaluate_prints_summary_labels_and_sweep(run: Run, tmp_path: Path) -> None:
    table = run("model", "evaluate", rows(tmp_path / "a.jsonl", ["cs"], ["math"])).stdout
    assert all(
        word in table for word in ("MICRO-F1", "MACRO-F1", "TOP-1", "ECE", "SUPPORT", "THRESHOLD", "hep-ph", "0.35")
    )


def test_tables_say_what_labels_are_called(run: Run, tmp_path: Path, model_dir: Path) -> None:
    assert run("model", "names", "arxiv-mini").exit_code == 0
    table = run("model", "info", "arxiv-mini").stdout
    assert "hep-ph    High Energy Physics - Phenomenology" in table
    assert "https://arxiv.org/list/hep-ph/recent" in table
    assert parsed(run("model", "info", "arxiv-mini", "--json"))["about"]["cs"]["name"] == "Computer Science"
    assert "Computer Science" in run("model", "evaluate", rows(tmp_path / "a.jsonl", ["cs"])).stdout
    (tmp_path / "names.json").write_text('{"cs": {"name": "Informatik", "group": "alles"}}')
    assert run("model", "names", "arxiv-mini", tmp_path / "names.json").exit_code == 0
    manifest = Artifact.open(model_dir / "arxiv-mini").manifest
    assert (manifest.about, manifest.groups) == ({"cs": {"name": "Informatik"}}, {"cs": "alles"})
    (tmp_path / "names.json").write_text('{"biology": "Biology"}')
    assert "about is not about labels" in failed(run("model", "names", "arxiv-mini", tmp_path / "names.json"))


def test_evaluate_takes_an_artifact_folder(run: Run, tmp_path: Path) -> None:
    folder = write_artifact(tmp_path, "elsewhere", threshold=0.25)
    (report,) = parsed(run("model", "evaluate", rows(tmp_path / "a.jsonl", ["cs"]), "--artifact", folder, "--json"))
    assert (report["model"], report["threshold"]) == ("elsewhere", 0.25)


@pytest.mark.parametrize("content", ["", "nonsense\n", '{"abstract": "a", "labels": ["no-such-label"]}\n'])
def test_evaluate_refuses_unusable_rows_in_one_line(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    assert "a.jsonl" in failed(run("model", "evaluate", tmp_path / "a.jsonl"))


def test_verify_runs_the_model(run: Run, opened: Any) -> None:
    assert parsed(run("model", "verify", "--json"))["texts"] == len(opened.engine.texts) > 3
    assert "finite" in run("model", "verify", "arxiv-mini").stdout


def test_verify_compares_with_another_build(run: Run, tmp_path: Path) -> None:
    other = write_artifact(tmp_path, "other", precision="float32")
    sample = rows(tmp_path / "a.jsonl", *[["cs"]] * 3)
    result = parsed(run("model", "verify", "--against", other, "--sample", sample, "--limit", "2", "--json"))
    assert (result["texts"], result["labels_compared"]) == (2, 2 * len(LABELS))
    assert (result["largest_difference"], result["label_flips"]) == (0.0, 0)
    different = write_artifact(tmp_path, "different", labels=("a", "b"))
    assert "other labels" in failed(run("model", "verify", "--against", different))


def test_verify_names_what_is_damaged(run: Run, model_dir: Path) -> None:
    (model_dir / "arxiv-mini" / "model.tflite").write_bytes(b"something else")
    assert "model.tflite" in failed(run("model", "verify", model_dir / "arxiv-mini"))
    assert "model.tflite" in failed(run("model", "verify"))


def test_the_recorded_command_has_no_path_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [rows(tmp_path / name, ["cs"]) for name in ("a.jsonl", "b c.jsonl")]
    noted: list[str] = []

    def note(ctx: click.Context, /, **_: Any) -> None:
        noted.append(model_train.as_typed(ctx))

    monkeypatch.setattr(train, "callback", click.pass_context(note))
    typed = ["--from", tmp_path, "--out", tmp_path / "out", "--seed", 7, "--data", *files]
    result = CliRunner().invoke(train, [str(word) for word in typed])
    assert result.exit_code == 0, result.output
    folder = tmp_path.name
    assert noted == [f"abstracts model train --from {folder} --data a.jsonl 'b c.jsonl' --out out --seed 7"]


def test_a_missing_extra_says_how_to_install_it() -> None:
    with pytest.raises(click.ClickException, match=r"requirements/train\.txt"), needs_tensorflow():
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
    with pytest.raises(ModuleNotFoundError), needs_tensorflow():
        raise ModuleNotFoundError("No module named 'model.nosuch'", name="model.nosuch")
