"""`predict`: one response object a line, through the cache."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from model.errors import EngineError
from service.api.blueprint import Blueprint  # noqa: F401  (imported here, so that no test's time is spent on it)
from tests.service.cli.conftest import CommandServices, Run, failed
from tests.service.conftest import ABSTRACT

OTHER = "We prove that every finitely generated group acting freely on a tree is free, with a bound on its rank."


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def answers(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_answers_are_in_order_and_the_second_run_is_all_hits(run: Run, tmp_path: Path, opened: CommandServices) -> None:
    file = write(tmp_path / "a.jsonl", {"abstract": ABSTRACT, "id": 7}, {"abstract": OTHER}, {"abstract": ABSTRACT})
    first = run("predict", file)
    assert first.exit_code == 0
    assert [answer["cached"] for answer in answers(first)] == [False, False, True]
    opened.memory.clear()
    second = run("predict", file)
    assert [answer["cached"] for answer in answers(second)] == [True, True, True]
    assert [answer["id"] for answer in answers(second)] == [answer["id"] for answer in answers(first)]
    assert len(opened.engine.texts) == 2


def test_an_answer_is_what_the_api_sends(run: Run, tmp_path: Path) -> None:
    from service.api.schemas import PredictionResponse

    (answer,) = answers(run("predict", write(tmp_path / "a.txt", ABSTRACT)))
    assert PredictionResponse().validate(answer) == {}
    assert answer["labels"] == ["astro-ph", "cs", "hep-ph", "math"]
    assert len(answer["predictions"][0]) == 4


def test_a_text_from_standard_input(run: Run) -> None:
    (answer,) = answers(run("predict", "-", input=ABSTRACT))
    assert answer["model"] == "arxiv-mini"


def test_options_hold_unless_the_line_says_otherwise(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"abstract": ABSTRACT}, {"abstract": ABSTRACT, "top_k": 3, "threshold": 0})
    first, second = answers(run("predict", file, "--threshold", "0", "--top-k", "1"))
    assert (len(first["categories"]), len(second["categories"])) == (1, 3)
    assert answers(run("predict", file, "--threshold", "1"))[0]["categories"] == []


def test_a_bad_line_is_an_object_and_the_rest_goes_on(run: Run, tmp_path: Path) -> None:
    bad = ["nonsense", [1], {}, {"abstract": 3}, {"abstract": "short"}, {"abstract": ABSTRACT, "threshold": 2}]
    bad += ["[" * 100_000, {"abstract": ABSTRACT + "\0"}, {"abstract": "1 2 3 4 5 6 7 8 9 " * 5}]
    result = run("predict", write(tmp_path / "a.jsonl", *bad, {"abstract": ABSTRACT}))
    assert "9 of 10" in failed(result)
    *problems, good = answers(result)
    assert [answer["problem"]["line"] for answer in problems] == list(range(1, 10))
    assert {answer["problem"]["status"] for answer in problems} == {400}
    assert problems[4]["problem"]["errors"]["abstract"]
    assert good["cached"] is False


def test_a_bad_text_is_an_object_without_a_line(run: Run) -> None:
    result = run("predict", "-", input="short")
    failed(result)
    (answer,) = answers(result)
    assert "abstract" in answer["problem"]["errors"]
    assert "line" not in answer["problem"]


def test_a_text_that_the_model_fails_on_is_not_stored(run: Run, opened: CommandServices, tmp_path: Path) -> None:
    opened.engine.failures = [EngineError("a score is not finite")]
    file = write(tmp_path / "a.jsonl", {"abstract": ABSTRACT}, {"abstract": ABSTRACT})
    problem, good = answers(run("predict", file))
    assert problem["problem"]["status"] == 500
    assert good["cached"] is False


def test_a_packed_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"abstract": ABSTRACT}).encode() * 1))
    assert len(answers(run("predict", path))) == 1
    path.write_bytes(path.read_bytes()[:-9])
    cut = run("predict", path)
    assert (cut.exit_code, cut.stdout) == (2, "")
    assert "damaged" in cut.stderr


def test_an_empty_jsonl_file_has_no_answers(run: Run, tmp_path: Path) -> None:
    result = run("predict", write(tmp_path / "a.jsonl"))
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(("model", "word"), [("nosuch", "arxiv-mini"), ("scibert-multi", "model install")])
def test_a_model_that_cannot_answer_is_one_line_with_the_remedy(run: Run, model: str, word: str) -> None:
    assert word in failed(run("predict", "-", "--model", model, input=ABSTRACT))


def test_progress_goes_to_standard_error(run: Run, tmp_path: Path) -> None:
    result = run("predict", write(tmp_path / "a.jsonl", {"abstract": ABSTRACT}))
    assert "1 computed" in result.stderr
    assert "computed" not in result.stdout


@pytest.mark.parametrize("options", [("--threshold", "2"), ("--top-k", "0"), ("--threshold", "x")])
def test_options_out_of_range_are_usage_errors(run: Run, options: tuple[str, str]) -> None:
    assert run("predict", "-", *options, input=ABSTRACT).exit_code == 2
