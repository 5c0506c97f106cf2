import csv
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from model.errors import DataError
from model.training.data.rows import Columns, Row, read_rows


def _jsonl(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def _csv(path: Path, *rows: tuple[str, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_the_project_s_own_form(tmp_path: Path) -> None:
    path = _jsonl(tmp_path / "a.jsonl", {"id": "1", "abstract": " A  b ", "primary": "cs", "labels": ["math", "cs"]})
    (row,) = read_rows(path, Columns())
    assert (row.id, row.text, row.primary, row.labels) == ("1", "A b", "cs", ("math", "cs"))


def test_arxiv_s_metadata_dump(tmp_path: Path) -> None:
    record = {"id": "q-alg/9503002", "abstract": "  We show\nthat", "categories": "math.QA q-alg hep-th math.CO"}
    (row,) = read_rows(_jsonl(tmp_path / "arxiv.json", record), Columns())
    assert (row.text, row.primary, row.labels) == ("We show that", "math", ("math", "hep-th"))


@pytest.mark.parametrize("value", ["cs; math", "cs math", "cs|math", "cs,math", ["cs", "math", "cs"]])
def test_one_column_with_a_list(tmp_path: Path, value: Any) -> None:
    path = _jsonl(tmp_path / "a.jsonl", {"body": "text", "tags": value})
    (row,) = read_rows(path, Columns("body", ("tags",)))
    assert (row.primary, row.labels) == ("cs", ("cs", "math"))


def test_csv_packed_with_a_column_a_label(tmp_path: Path) -> None:
    plain = _csv(
        tmp_path / "a.csv", ("text", "cs", "math"), ("one,\n1", "1", "0"), ("two", "1.0", "true"), ("3", "", "0")
    )
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    rows = list(read_rows(packed, Columns("text", ("cs", "math"))))
    assert [(row.text, row.labels) for row in rows] == [("one, 1", ("cs",)), ("two", ("cs", "math"))]


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"labels": ["cs"]}, r"a\.jsonl:2: no text in 'abstract'; there are 'labels'"),
        ({"abstract": 3, "labels": ["cs"]}, "no text in 'abstract'"),
        ({"abstract": "x"}, "no label names in 'labels'"),
        ({"abstract": "x", "labels": [1]}, "no label names in 'labels'"),
        ([], "not a JSON object"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, record: Any, fault: str) -> None:
    path = _jsonl(tmp_path / "a.jsonl", {"abstract": "x", "labels": ["cs"]}, record)
    with pytest.raises(DataError, match=fault):
        list(read_rows(path, Columns()))


def test_what_is_no_flag_or_no_json_is_named(tmp_path: Path) -> None:
    path = _csv(tmp_path / "a.csv", ("abstract", "cs", "math"), ("x", "1", "perhaps"))
    with pytest.raises(DataError, match=r"a\.csv:2: 'math' is 'perhaps', not 0 or 1"):
        list(read_rows(path, Columns(labels=("cs", "math"))))
    with pytest.raises(DataError, match="no column 'econ'"):
        list(read_rows(path, Columns(labels=("cs", "econ"))))
    (tmp_path / "b.jsonl").write_text("{")
    with pytest.raises(DataError, match=r"b\.jsonl:1: not JSON"):
        list(read_rows(tmp_path / "b.jsonl", Columns()))
    (tmp_path / "c.jsonl.gz").write_bytes(b"\x1f\x8bxx")
    with pytest.raises(DataError, match=r"c\.jsonl\.gz"):
        list(read_rows(tmp_path / "c.jsonl.gz", Columns()))


@pytest.mark.parametrize(("suffix", "opener"), [(".jsonl", open), (".gz", gzip.open), (".xz", lzma.open)])
def test_plain_and_packed_files_with_weights(tmp_path: Path, suffix: str, opener: Any) -> None:
    path = tmp_path / f"rows{suffix}"
    line = json.dumps({"id": "1", "abstract": " An  abstract. ", "primary": "cs", "labels": ["math", "cs"], "w": 2})
    with opener(path, "wt") as file:
        file.write(line + "\n\n")
    assert list(read_rows(path, Columns(weight="w"))) == [Row("1", "An abstract.", "cs", ("math", "cs"), 2.0)]


@pytest.mark.parametrize("weight", ["0", "-1", "NaN", "Infinity", '"heavy"', "null"])
def test_a_weight_that_is_none_is_named(tmp_path: Path, weight: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(f'{{"abstract": "x", "labels": ["cs"], "w": {value}}}\n' for value in ("1", weight)))
    with pytest.raises(DataError, match=r"bad\.jsonl:2: (no weight in 'w'|the weight)"):
        list(read_rows(path, Columns(weight="w")))


def test_a_truncated_archive_is_a_data_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    path.write_bytes(gzip.compress(b'{"abstract": "x", "labels": ["cs"]}\n' * 99)[:-9])
    with pytest.raises(DataError, match=r"rows\.gz"):
        list(read_rows(path))
