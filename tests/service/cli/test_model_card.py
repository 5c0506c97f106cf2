"""The model card: written from what is there, and current."""

import json
from pathlib import Path

import pytest

from docs.write import FOLDER
from model.artifact import MANIFEST, SHIPPED, Artifact
from service.cli.model.card import EVALUATION, read_evaluations
from tests.service.cli.conftest import Run, failed, parsed
from tests.service.cli.test_model import rows
from tests.service.conftest import LABELS

SHIPPED_MODELS = sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}"))


def test_the_committed_card_is_what_the_command_writes(run: Run) -> None:
    assert run("model", "card").stdout == (FOLDER / "model-card.md").read_text("utf-8"), "run `make docs`"


@pytest.mark.parametrize("folder", SHIPPED_MODELS, ids=lambda folder: folder.name)
def test_what_is_shipped_was_measured(folder: Path) -> None:
    """Of new weights: abstracts model evaluate FILE --model NAME --save, as docs/models.md has it, and `make docs`."""
    artifact = Artifact.open(folder)
    first = read_evaluations(artifact)[0]
    assert first["rows"] > 1000
    assert [item["label"] for item in first["labels"]] == list(artifact.manifest.labels)


def test_what_was_measured_is_kept_file_by_file(run: Run, tmp_path: Path, model_dir: Path) -> None:
    kept = model_dir / "arxiv-mini" / EVALUATION
    first, second = rows(tmp_path / "a.jsonl", ["cs"], ["math"]), rows(tmp_path / "b.jsonl", ["cs"])
    printed = parsed(run("model", "evaluate", first, "--save", "--json"))
    assert run("model", "evaluate", second, "--save").exit_code == 0
    assert run("model", "evaluate", rows(tmp_path / "a.jsonl", ["hep-ph"]), "--save").exit_code == 0
    saved = json.loads(kept.read_text())
    assert [(report["file"], report["rows"]) for report in saved] == [("a.jsonl", 1), ("b.jsonl", 1)]
    assert saved[0].keys() == printed[0].keys()
    refused = run("model", "evaluate", first, "--save", "--limit", 1)
    assert (refused.exit_code, "leave the other options out" in refused.stderr) == (2, True)


def test_a_card_says_what_the_model_is_bad_at(run: Run, tmp_path: Path, model_dir: Path) -> None:
    run("model", "names", "arxiv-mini")
    assert "Nobody has measured it yet." in run("model", "card", "arxiv-mini").stdout
    run("model", "evaluate", rows(tmp_path / "a.jsonl", *[[LABELS[i % 2]] for i in range(40)]), "--save")
    card = run("model", "card", "arxiv-mini").stdout
    labels = card.partition("### arxiv-mini: label by label")[2].partition("###")[0]
    assert "None has hep-ph, math." in labels
    assert "[Computer Science](https://arxiv.org/list/cs/recent) `cs`" in labels
    assert "Computer Science `cs` | High Energy Physics - Phenomenology `hep-ph`" in card
    assert "| 0.93 to 1.00 |" in card
    (report,) = json.loads((model_dir / "arxiv-mini" / EVALUATION).read_text())
    assert sum(item["decisions"] for item in report["calibration"]) == pytest.approx(40 * len(LABELS))


def test_what_was_measured_of_another_version_is_not_told_of_this_one(
    run: Run, tmp_path: Path, model_dir: Path
) -> None:
    run("model", "evaluate", rows(tmp_path / "a.jsonl", ["cs"]), "--save")
    kept = model_dir / "arxiv-mini" / EVALUATION
    kept.write_text(kept.read_text().replace('"sha256:', '"sha256:0'))
    assert "--model arxiv-mini --save" in failed(run("model", "card", "arxiv-mini"))
    assert run("model", "evaluate", rows(tmp_path / "b.jsonl", ["cs"]), "--save").exit_code == 0
    assert [report["file"] for report in json.loads(kept.read_text())] == ["b.jsonl"]


def test_a_card_of_a_model_that_is_not_there(run: Run) -> None:
    assert "model install scibert-multi" in failed(run("model", "card", "scibert-multi"))
