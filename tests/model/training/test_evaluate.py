import numpy as np
import pytest

from model.training.evaluate import evaluate, expected_calibration_error

TRUTH = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
SCORES = np.array([[0.9, 0.6, 0.1], [0.8, 0.3, 0.2], [0.4, 0.7, 0.1]], np.float32)


def test_figures_worked_out_by_hand() -> None:
    report = evaluate(SCORES, TRUTH, np.ones(3), ["a", "b", "c"], threshold=0.5)
    assert report.rows == 3
    assert report.micro_f1 == pytest.approx(2 * 3 / (4 + 4))
    a, b, c = report.labels
    assert (a.precision, a.recall, a.f1, a.support) == pytest.approx((1, 1, 1, 2))
    assert (b.precision, b.recall, b.f1, b.support) == pytest.approx((0.5, 0.5, 0.5, 2))
    assert (c.precision, c.recall, c.f1, c.support) == (0, 0, 0, 0)
    assert report.macro_f1 == pytest.approx(0.75)  # c does not occur
    assert report.top1 == 1.0
    assert [p.threshold for p in report.sweep] == sorted(p.threshold for p in report.sweep)
    at_half = next(p for p in report.sweep if p.threshold == 0.5)
    assert (at_half.micro_f1, at_half.macro_f1) == pytest.approx((report.micro_f1, report.macro_f1))


def test_a_row_of_weight_two_counts_like_two_rows() -> None:
    weighted = evaluate(SCORES, TRUTH, np.array([1.0, 1.0, 2.0]), ["a", "b", "c"], 0.35)
    twice = [0, 1, 2, 2]
    repeated = evaluate(SCORES[twice], TRUTH[twice], np.ones(4), ["a", "b", "c"], 0.35)
    for figure in ("micro_f1", "macro_f1", "top1", "ece"):
        assert getattr(weighted, figure) == pytest.approx(getattr(repeated, figure))


def test_top1_is_wrong_where_the_best_score_is_no_true_label() -> None:
    scores = np.array([[0.2, 0.1, 0.9], [0.8, 0.3, 0.2], [0.4, 0.7, 0.1]], np.float32)
    assert evaluate(scores, TRUTH, np.ones(3), ["a", "b", "c"], 0.5).top1 == pytest.approx(2 / 3)


def test_what_is_taken_for_what() -> None:
    report = evaluate(SCORES, TRUTH, np.array([1.0, 2.0, 1.0]), ["a", "b", "c"], threshold=0.5)
    assert report.confusions == ()  # b is wrongly chosen in the first row, but nothing is missed there
    scores = np.array([[0.1, 0.6, 0.1], [0.8, 0.3, 0.9], [0.4, 0.2, 0.7]], np.float32)
    found = evaluate(scores, TRUTH, np.array([1.0, 2.0, 1.0]), ["a", "b", "c"], threshold=0.5).confusions
    assert [(item.true, item.chosen) for item in found] == [("b", "c"), ("a", "b")]
    assert [item.rows for item in found] == pytest.approx([3 * 3 / 4, 1 * 3 / 4])
    assert [item.share for item in found] == pytest.approx([1.0, 1 / 3])


def test_the_calibration_curve_has_every_decision_in_its_bin() -> None:
    curve = evaluate(SCORES, TRUTH, np.ones(3), ["a", "b", "c"], threshold=0.5).calibration
    assert sum(item.decisions for item in curve) == 9
    last = curve[-1]
    assert (last.low, last.high, last.decisions) == pytest.approx((13 / 15, 14 / 15, 1))
    assert (last.score, last.true) == pytest.approx((0.9, 1.0))


def test_calibration_error_is_the_gap_between_score_and_frequency() -> None:
    scores = np.full((100, 1), 0.7, np.float32)
    truth = np.zeros((100, 1), np.float32)
    truth[:70] = 1
    assert expected_calibration_error(scores, truth, np.ones(100)) == pytest.approx(0, abs=1e-6)
    truth[:40] = 0
    assert expected_calibration_error(scores, truth, np.ones(100)) == pytest.approx(0.4, abs=1e-6)
    assert expected_calibration_error(np.ones((1, 1)), np.ones((1, 1)), np.ones(1)) == 0
