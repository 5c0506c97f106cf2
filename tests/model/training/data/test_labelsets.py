"""Label sets, and the categories that come from a file of their own."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.training.data.labelsets import label_set, read_categories
from model.training.data.rows import Row

ROWS = [
    Row("1", "a", "cs", ("cs", "math")),
    Row("2", "b", "q-bio", ("q-bio",)),
    Row("3", "c", "q-bio", ("q-bio", "cs")),
    Row("4", "d", "math", ("math",)),
]
CATEGORIES = {"1": ("cs.LG", "math.NA"), "2": ("q-bio.GN",), "3": ("q-bio", "cs.LG")}


def test_aliases_are_merged_packed_or_not(tmp_path: Path) -> None:
    plain, packed = tmp_path / "c.tsv", tmp_path / "c.tsv.xz"
    plain.write_text("1\tcs.NA math.NA cs.SY\n2\tmath.MP\n")
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert read_categories(plain) == read_categories(packed) == {"1": ("math.NA", "eess.SY"), "2": ("math-ph",)}


@pytest.mark.parametrize("text", ["1 cs.LG\n", "1\t\n", "1\tcs.LG\tmath.NA\n"])
def test_a_line_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.tsv"
    path.write_text("0\tcs.LG\n" + text)
    with pytest.raises(DataError, match=r"c\.tsv:2: not an id"):
        read_categories(path)
    (tmp_path / "c.xz").write_bytes(b"no xz")
    with pytest.raises(DataError, match=r"c\.xz"):
        read_categories(tmp_path / "c.xz")


def test_what_is_not_known_of_an_undivided_archive_is_no_zero() -> None:
    labels = label_set(ROWS, "multi", CATEGORIES)
    assert (labels.name, labels.labels) == ("categories", ("cs.LG", "math.NA", "q-bio.GN"))
    truth, nan = labels.truth(ROWS), float("nan")
    expected: list[list[float]] = [[1, 1, 0], [0, 0, 1], [1, 0, nan], [nan, nan, nan]]
    assert np.array_equal(truth, expected, equal_nan=True)
    assert labels.known(ROWS) == ROWS[:2]
    assert labels.log_odds(truth) == pytest.approx([np.log(2), -np.log(2), 0], abs=1e-4)


def test_the_primary_label_or_category_alone() -> None:
    assert label_set(ROWS, "single").truth(ROWS).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]]
    labels = label_set(ROWS, "single", CATEGORIES)
    assert labels.labels == ("cs.LG", "math.NA", "q-bio.GN")
    assert labels.truth(ROWS[:2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert np.isnan(labels.truth(ROWS[2:3])[0, 2])


def test_all_labels_of_a_row_are_known_where_nothing_finer_is_asked() -> None:
    labels = label_set(ROWS, "multi")
    assert labels.known(ROWS) == ROWS
    assert labels.truth(ROWS).sum() == 6
