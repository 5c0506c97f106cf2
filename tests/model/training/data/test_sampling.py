"""Drawing, holding out and weighting rows."""

from collections import Counter

import numpy as np
import pytest

from model.errors import DataError
from model.training.data.draw import draw, mix_weights, split_held_out
from model.training.data.labelsets import LabelSet, names_of
from model.training.data.rows import Row


def _rows(**counts: int) -> list[Row]:
    return [Row(f"{p}-{i}", f"text {i}", p, (p,)) for p, n in counts.items() for i in range(n)]


def test_label_matrix_refuses_a_label_that_the_model_lacks() -> None:
    rows = _rows(cs=1, math=1)
    both, one = (LabelSet("labels", "multi", labels, names_of("multi")) for labels in (("cs", "math"), ("cs",)))
    assert both.truth(rows).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(DataError, match="'math' is none of cs"):
        one.truth(rows)


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
