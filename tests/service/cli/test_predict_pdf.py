"""`predict paper.pdf`."""

import json
from pathlib import Path

from bench.papers.document import Put, make_pdf
from service.api.blueprint import Blueprint  # noqa: F401  (imported here, so that no test's time is spent on it)
from service.pdf.extract import Extractor
from tests.service.cli.conftest import CommandServices, Run
from tests.service.pdf.papers import SENTENCES, column, head

PAPER = make_pdf([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 90, 180)])


def test_a_paper_is_answered_as_by_the_api(run: Run, tmp_path: Path, opened: CommandServices) -> None:
    opened.__dict__["pdfs"] = Extractor(seconds=60)
    (tmp_path / "paper.pdf").write_bytes(PAPER)
    result = run("predict", tmp_path / "paper.pdf")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["abstract"] == " ".join(SENTENCES)
    assert answer["extraction"]["method"] == "heading"
    assert opened.engine.texts == [answer["abstract"]]


def test_a_paper_is_known_by_its_beginning_too(run: Run, tmp_path: Path, opened: CommandServices) -> None:
    opened.__dict__["pdfs"] = Extractor(seconds=60)
    (tmp_path / "paper").write_bytes(PAPER)
    assert json.loads(run("predict", tmp_path / "paper").stdout)["extraction"]["page"] == 1


def test_a_file_that_only_its_name_makes_a_pdf_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(b"no paper")
    result = run("predict", tmp_path / "paper.pdf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no PDF" in result.stderr
