"""What all commands share: tables whose ids can be copied, and how the program is called."""

import io
import re
import sys
from pathlib import Path

import pytest

from service.cli.common import print_table, program

IDS = [f"{n}aB3dE5fG7hJ"[:12] for n in range(3)]
ROWS = [(id, "a name of several words, as operators give them", "predict read", "2026-11-25 04:00") for id in IDS]
COLUMNS = ("ID", "NAME", "SCOPES", "CREATED")


class Terminal(io.StringIO):
    """Takes what is printed for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_no_word_is_broken_at_any_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_table(COLUMNS, ROWS, title="Keys")
    printed = terminal.getvalue()
    assert [word for row in ROWS for word in " ".join(row).split() if word not in printed] == []
    widest = max(map(len, re.sub(r"\x1b\[\d*m", "", printed).splitlines()))
    assert widest <= max(columns, 48)
    assert (ROWS[0][1] in printed) == (columns == 200)


def test_off_a_terminal_a_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    print_table(COLUMNS, [(IDS[0], "x " * 2000, None, 0.5)])
    _, row = out.getvalue().splitlines()
    assert row.startswith(f"{IDS[0]}  x x x")
    assert row == row.rstrip()
    assert row.endswith("-        0.5000")


def test_numbers_are_on_the_right_and_wide_characters_take_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "NUMBER"), [("天文", 5), ("four", 1234)])
    assert capsys.readouterr().out == "NAME  NUMBER\n天文       5\nfour    1234\n"
    print_table(("NAME", "NUMBER"), [])
    assert capsys.readouterr().out == "NAME  NUMBER\n"


def test_the_program_is_called_as_it_can_be_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / ".venv" / "bin" / "abstracts"
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.chdir(tmp_path)
    assert program() == "flask --app wsgi"
    script.parent.mkdir(parents=True)
    script.touch(0o755)
    assert program() == ".venv/bin/abstracts"
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    assert program() == str(script)
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "abstracts"
