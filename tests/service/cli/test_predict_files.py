"""`predict` with files as people have them: tables, folders, output that is gone on with."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.service.cli.conftest import PROGRAM, CommandServices, Run
from tests.service.cli.test_predict import OTHER, answers, write
from tests.service.conftest import ABSTRACT

GERMAN = (
    "Wir messen die Masse des Top-Quarks in Proton-Proton-Kollisionen bei einer Schwerpunktsenergie von 13 TeV und "
    "vergleichen das Ergebnis mit der Vorhersage des Standardmodells der Teilchenphysik."
)


def table(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("export", ";")])
def test_a_table_is_a_row_a_paper_and_never_one_text(run: Run, tmp_path: Path, name: str, delimiter: str) -> None:
    rows = [{"doi": "10.1/a", "abstract": ABSTRACT}, {"doi": "10.1/b", "abstract": OTHER}]
    result = run("predict", table(tmp_path / name, rows, delimiter), "--id-column", "doi")
    assert result.exit_code == 0
    assert [answer["input_id"] for answer in answers(result)] == ["10.1/a", "10.1/b"]


def test_the_column_with_the_text_may_be_named(run: Run, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [{"key": "1", "words": ABSTRACT}])
    assert len(answers(run("predict", path, "--text-column", "words"))) == 1
    without = run("predict", path)
    assert (without.exit_code, without.stdout) == (2, "")
    assert "--text-column" in without.stderr


def test_a_file_that_is_not_read_is_named_nothing_of_it_is_stored_and_the_rest_goes_on(
    run: Run, tmp_path: Path, opened: CommandServices
) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK\x03\x04" + bytes(40) + b"word/document.xml" + bytes(40))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    good = write(tmp_path / "c.jsonl", {"abstract": ABSTRACT})
    result = run("predict", tmp_path / "a.docx", tmp_path / "b.png", good)
    assert result.exit_code == 2
    assert "a.docx" in result.stderr
    assert "b.png" in result.stderr
    assert [answer["file"] for answer in answers(result)] == [str(good)]
    assert len(opened.engine.texts) == 1


def test_the_files_of_a_folder_in_order(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    write(folder / "b.jsonl", {"abstract": OTHER, "id": "x"})
    write(folder / "a.txt", ABSTRACT)
    (folder / "notes.docx").write_bytes(b"PK\x03\x04")
    result = run("predict", folder)
    assert result.exit_code == 0
    assert [Path(answer["file"]).name for answer in answers(result)] == ["a.txt", "b.jsonl"]
    assert "notes.docx" in result.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_output_is_gone_on_with(run: Run, tmp_path: Path, opened: CommandServices, name: str) -> None:
    file = write(tmp_path / "a.jsonl", {"abstract": ABSTRACT, "id": 1}, {"abstract": OTHER, "id": 2})
    out = tmp_path / name
    assert run("predict", file, "--output", out).exit_code == 0
    whole = out.read_bytes()
    out.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 9])  # the last line was cut off
    again = run("predict", file, "--output", out)
    assert again.exit_code == 0
    assert "1 done before" in again.stderr
    assert out.read_bytes().replace(b"true", b"false").replace(b"True", b"False") == whole
    assert len(opened.engine.texts) == 2


def test_a_table_of_answers_has_a_row_a_paper(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"abstract": ABSTRACT, "id": "one"}, {"abstract": "short", "id": "two"})
    out = tmp_path / "out.csv"
    assert run("predict", file, "--output", out, "--threshold", "0").exit_code == 1
    with out.open(newline="") as opened:
        good, bad = csv.DictReader(opened)
    assert (good["input_id"], set(good["categories"].split(";"))) == ("one", {"astro-ph", "cs", "hep-ph", "math"})
    assert float(good["score cs"]) >= 0
    assert (bad["input_id"], bad["categories"]) == ("two", "")
    assert bad["problem"]


def test_output_that_is_something_else_is_left_alone(run: Run, tmp_path: Path) -> None:
    file, out = write(tmp_path / "a.jsonl", {"abstract": ABSTRACT}), tmp_path / "mine.jsonl"
    out.write_text('{"my": "notes"}\n')
    assert run("predict", file, "--output", out).exit_code == 2
    assert out.read_text() == '{"my": "notes"}\n'


def test_strict_makes_a_problem_of_a_warning(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"abstract": GERMAN})
    (warned,) = answers(run("predict", file))
    assert warned["warnings"][0]["code"] == "not-english"
    table = tmp_path / "out.csv"
    run("predict", file, "--output", table)
    assert next(csv.DictReader(table.read_text().splitlines()))["warnings"] == "not-english"
    result = run("predict", file, "--strict")
    assert result.exit_code == 1
    assert answers(result)[0]["problem"]["type"] == "/problems/doubtful-abstract"


def test_it_ends_quietly_when_nobody_reads_on(tmp_path: Path, environ: dict[str, str]) -> None:
    rows: list[Any] = [{"abstract": f"{number} {'short' * (number % 2)}"} for number in range(3000)]
    file = write(tmp_path / "a.jsonl", *rows)
    command = [sys.executable, "-c", PROGRAM, "predict", str(file)]
    with subprocess.Popen(
        command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "problem" in json.loads(process.stdout.readline())
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 0
