"""The commands that look after the store."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.records.predictions import Prediction
from tests.service.cli.conftest import CommandServices, Run, failed, parsed

IDS = ("a" * 64, "b" * 64)


@pytest.fixture
def filled(opened: CommandServices) -> CommandServices:
    """An installation with two predictions."""
    for id in IDS:
        moment = datetime.now(UTC)
        opened.predictions.put(Prediction(id, "arxiv-mini", "sha256:0", (0.1, 0.9, 0.5, 0.25), moment, None, None))
    return opened


@pytest.fixture
def other(tmp_path: Path, variables: dict[str, str]) -> Iterator[CommandServices]:
    """An installation with an empty store."""
    made = CommandServices(variables | {"ABSTRACTS_STORE_URL": f"sqlite:///{tmp_path}/other.sqlite"})
    yield made
    made.close()


def test_init_makes_the_file_and_may_be_repeated(run: Run, variables: dict[str, str]) -> None:
    assert run("store", "init").exit_code == 0
    assert (Path(variables["ABSTRACTS_DATA_DIR"]) / "abstracts.sqlite").is_file()
    assert run("store", "init").exit_code == 0


def test_stats_count_by_model(run: Run, filled: CommandServices) -> None:
    filled.keys.create("me", ["read"])
    stats = parsed(run("store", "stats", "--json"))
    assert (stats["predictions"], stats["purged"], stats["keys"]) == ({"arxiv-mini": 2}, 0, 1)
    assert "predictions of arxiv-mini" in run("store", "stats").stdout


def test_get_shows_labels_best_first(run: Run, filled: CommandServices) -> None:
    found = parsed(run("store", "get", IDS[0], "--json"))
    assert found["scores"] == [0.1, 0.9, 0.5, 0.25]
    lines = run("store", "get", IDS[0]).stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["cs", "hep-ph", "math", "astro-ph"]


def test_delete_removes_one(run: Run, filled: CommandServices) -> None:
    assert run("store", "delete", IDS[0]).exit_code == 0
    assert "no stored prediction" in failed(run("store", "get", IDS[0]))
    assert parsed(run("store", "get", IDS[1], "--json"))["id"] == IDS[1]
    assert "no stored prediction" in failed(run("store", "delete", IDS[0]))


def test_purge_forgets_and_sweep_deletes(run: Run, filled: CommandServices) -> None:
    assert run("store", "purge", "arxiv-mini", "--yes").exit_code == 0
    stats = parsed(run("store", "stats", "--json"))
    assert (stats["predictions"], stats["purged"]) == ({}, 2)
    assert "2 purged" in run("store", "sweep").stderr
    assert parsed(run("store", "stats", "--json"))["purged"] == 0


def test_purge_asks_first(run: Run, filled: CommandServices) -> None:
    assert run("store", "purge", "arxiv-mini", input="n\n").exit_code == 1
    assert parsed(run("store", "stats", "--json"))["predictions"] == {"arxiv-mini": 2}


def test_purge_knows_removed_models_but_no_typing_errors(run: Run, filled: CommandServices) -> None:
    gone = Prediction(IDS[0], "gone", "sha256:0", (0.5,), datetime.now(UTC), None, None)
    filled.predictions.put(gone)
    assert run("store", "purge", "gone", "--yes").exit_code == 0
    assert "arxiv-mini" in failed(run("store", "purge", "arxiv-mimi", "--yes"))


def test_check_measures_and_leaves_nothing(run: Run, opened: CommandServices) -> None:
    report = parsed(run("store", "check", "--json"))
    assert set(report["steps"]) == {"connect", "put", "get", "replace", "refuse a stale version", "count", "delete"}
    assert all(0 <= step["median_ms"] <= step["max_ms"] for step in report["steps"].values())
    assert "SQLite" in report["versions"]
    assert list(opened.backend.scan("limits")) == []
    assert "refuse a stale version" in run("store", "check").stdout


def test_sweep_says_and_deletes_predictions_of_earlier_versions(run: Run, filled: CommandServices) -> None:
    digest = filled.registry.get("arxiv-mini").artifact.digest  # type: ignore[union-attr]
    moment = datetime.now(UTC)
    filled.predictions.put(Prediction("c" * 64, "arxiv-mini", digest, (0.1, 0.9, 0.5, 0.25), moment, None, None))
    assert parsed(run("store", "stats", "--json"))["older"] == 2
    assert "2 predictions of earlier versions of installed models stay" in run("store", "sweep").stderr
    assert "Deleted 2 predictions of earlier versions" in run("store", "sweep", "--older").stderr
    assert parsed(run("store", "stats", "--json"))["predictions"] == {"arxiv-mini": 1}


def test_a_backup_can_be_put_in_the_stores_place(
    run: Run, filled: CommandServices, variables: dict[str, str], tmp_path: Path
) -> None:
    made, text = filled.keys.create("me", ["read"])
    copy, store = tmp_path / "copy.sqlite", Path(variables["ABSTRACTS_DATA_DIR"]) / "abstracts.sqlite"
    assert run("store", "backup", copy).exit_code == 0
    assert "exists already" in failed(run("store", "backup", copy))
    filled.backend.close()
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()
    copy.rename(store)
    assert parsed(run("store", "stats", "--json"))["predictions"] == {"arxiv-mini": 2}
    assert filled.keys.authenticate(text) == made


def test_what_can_be_read_of_a_damaged_store_is_exported(
    run: Run, filled: CommandServices, variables: dict[str, str], tmp_path: Path
) -> None:
    store, moment = Path(variables["ABSTRACTS_DATA_DIR"]) / "abstracts.sqlite", datetime.now(UTC)
    made, _ = filled.keys.create("me", ["read"])
    for number in range(400):
        filled.predictions.put(Prediction(f"{number:064x}", "arxiv-mini", "d", (0.5,) * 4, moment, None, "x" * 900))
    filled.backend.close()
    with store.open("r+b") as file:
        file.seek(60 * 4096)
        file.write(bytes(3 * 4096))
    result = run("store", "export", tmp_path / "all.jsonl")
    assert result.exit_code == 1
    assert "not everything could be read" in result.stderr
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [line["key"]["id"] for line in lines if "key" in line] == [made.id]
    assert 350 < len(lines) < 403
    assert "abstracts.sqlite is damaged" in run("config", "check").stderr


def test_an_unreachable_store_is_one_line(run: Run, variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    over = CommandServices(variables | {"ABSTRACTS_STORE_URL": f"sqlite:///{tmp_path}/file/x.sqlite"})
    for command in (("store", "check"), ("store", "init"), ("keys", "list"), ("store", "stats")):
        assert "x.sqlite" in failed(run(*command, over=over))


def test_what_is_exported_can_be_imported_elsewhere(
    run: Run, filled: CommandServices, other: CommandServices, tmp_path: Path
) -> None:
    made, text = filled.keys.create("me", ["read"])
    assert run("store", "export", tmp_path / "all.jsonl").exit_code == 0
    assert run("store", "import", tmp_path / "all.jsonl", over=other).exit_code == 0
    assert other.keys.authenticate(text) == made
    assert other.predictions.get(IDS[0], "arxiv-mini", 4) == filled.predictions.get(IDS[0], "arxiv-mini", 4)
    assert parsed(run("store", "stats", "--json", over=other))["predictions"] == {"arxiv-mini": 2}


def test_import_may_be_repeated_and_revives_no_key(
    run: Run, filled: CommandServices, other: CommandServices, tmp_path: Path
) -> None:
    made, _ = filled.keys.create("me", ["read"])
    run("store", "export", tmp_path / "all.jsonl")
    run("store", "import", tmp_path / "all.jsonl", over=other)
    revoked = other.keys.revoke(made.id)
    result = run("store", "import", tmp_path / "all.jsonl", over=other)
    assert "1 key(s) were here already" in result.stderr
    assert other.keys.list() == [revoked]


def test_purged_predictions_stay_behind(run: Run, filled: CommandServices, tmp_path: Path) -> None:
    filled.predictions.purge("arxiv-mini")
    assert run("store", "export", "-").stdout == ""


def test_export_through_a_pipe(run: Run, filled: CommandServices, other: CommandServices) -> None:
    lines = run("store", "export", "-").stdout
    assert {json.loads(line)["prediction"]["id"] for line in lines.splitlines()} == set(IDS)
    assert "Imported 2 record(s)" in run("store", "import", "-", input=lines, over=other).stderr


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"key": {}}',
        '{"key": 1}',
        '{"prediction": {"id": "short"}}',
        '{"prediction": {"id": "ID", "model": "m", "digest": "d", "scores": [NaN], "created_at": "2026-01-01T00:00Z"}}',
        '{"prediction": {"id": "ID"}, "key": {}}',
        '{"job": {"id": "ID"}}',
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(
    run: Run, filled: CommandServices, other: CommandServices, line: str
) -> None:
    lines = run("store", "export", "-").stdout + line.replace("ID", IDS[0]) + "\n"
    message = failed(run("store", "import", "-", input=lines, over=other))
    assert "line 3 " in message
    assert "Nothing was imported" in message
    assert parsed(run("store", "stats", "--json", over=other))["predictions"] == {}


def test_a_failed_export_leaves_no_file(run: Run, variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    over = CommandServices(variables | {"ABSTRACTS_STORE_URL": f"sqlite:///{tmp_path}/file/x.sqlite"})
    folder = tmp_path / "out"
    folder.mkdir()
    failed(run("store", "export", folder / "all.jsonl", over=over))
    assert list(folder.iterdir()) == []
