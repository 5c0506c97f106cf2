import gzip
import json
import lzma
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.training.rows import Row, draw, label_matrix, mix_weights, read_rows, split_held_out


def _rows(**counts: int) -> list[Row]:
    return [Row(f"{p}-{i}", f"text {i}", p, (p,)) for p, n in counts.items() for i in range(n)]


@pytest.mark.parametrize(("suffix", "opener"), [(".jsonl", open), (".gz", gzip.open), (".xz", lzma.open)])
def test_reads_plain_and_compressed_files(tmp_path: Path, suffix: str, opener: object) -> None:
    path = tmp_path / f"rows{suffix}"
    line = json.dumps({"id": "1", "abstract": " An  abstract. ", "primary": "cs", "labels": ["math", "cs"], "w": 2})
    with opener(path, "wt") as file:  # type: ignore[operator]
        file.write(line + "\n\n")
    assert list(read_rows(path, "w")) == [Row("1", "An abstract.", "cs", ("math", "cs"), 2.0)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "not an object"),
        ("[]", "not an object"),
        ('{"abstract": "x"}', "no field 'labels'"),
        ('{"labels": ["cs"]}', "no field 'abstract'"),
        ('{"abstract": "x", "labels": []}', "not an object"),
        ('{"abstract": 5, "labels": ["cs"]}', "not an object"),
        ('{"abstract": "x", "labels": [5]}', "`labels`"),
        ('{"abstract": "x", "labels": ["cs"], "weight": 0}', "weight above 0"),
    ],
)
def test_names_the_file_and_line_of_a_bad_row(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"abstract": "fine", "labels": ["cs"], "weight": 1}\n' + line + "\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:2") as caught:
        list(read_rows(path, "weight" if "weight" in line else None))
    assert fault in str(caught.value)


def test_a_truncated_archive_is_a_data_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    path.write_bytes(gzip.compress(b'{"abstract": "x", "labels": ["cs"]}\n' * 99)[:-9])
    with pytest.raises(DataError, match=r"rows\.gz"):
        list(read_rows(path))


def test_label_matrix_refuses_a_label_that_the_model_lacks() -> None:
    rows = _rows(cs=1, math=1)
    assert label_matrix(rows, ["cs", "math"]).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(DataError, match="'math' is none of cs"):
        label_matrix(rows, ["cs"])


def test_held_out_rows_are_the_same_whatever_else_is_in_the_data() -> None:
    few, many = _rows(cs=1000), _rows(cs=1000, math=500)
    _, held_few = split_held_out(few, 0.1, 0)
    training, held_many = split_held_out(many, 0.1, 0)
    assert len(held_few) == 100
    assert {r.id for r in held_few} == {r.id for r in held_many if r.primary == "cs"}
    assert not {r.id for r in training} & {r.id for r in held_many}


def test_of_a_rare_label_no_more_than_a_quarter_is_held_out() -> None:
    _, held = split_held_out(_rows(cs=1000, rare=40), 0.01, 50)
    assert Counter(r.primary for r in held) == {"cs": 50, "rare": 10}


def test_draw_follows_the_mix_above_its_floor_and_repeats_only_what_is_rare() -> None:
    rows = _rows(cs=1000, math=1000, rare=30)
    drawn = draw(rows, 1000, {"cs": 0.7, "math": 0.3, "rare": 0.0}, floor=0.1, repeats=2, seed=1)
    count = Counter(r.primary for r in drawn)
    assert count["rare"] == 60
    assert count["cs"] == pytest.approx(658, abs=2)
    assert count["math"] == pytest.approx(282, abs=2)
    assert max(Counter(r.id for r in drawn if r.primary != "rare").values()) == 1
    assert drawn == draw(rows, 1000, {"cs": 0.7, "math": 0.3, "rare": 0.0}, floor=0.1, repeats=2, seed=1)


def test_mix_weights_restore_the_mix() -> None:
    rows = _rows(cs=30, math=10)
    weights = mix_weights(rows, {"cs": 0.5, "math": 0.5})
    assert weights.mean() == pytest.approx(1)
    assert weights[:30].sum() == pytest.approx(weights[30:].sum())
    assert np.allclose(weights[0], 40 * 0.5 / 30)
    with pytest.raises(DataError, match="mix"):
        mix_weights(rows, {"physics": 1.0})
