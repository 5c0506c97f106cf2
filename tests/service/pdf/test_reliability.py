"""The confidence: fitted to papers, and tried on others."""

import random

import pytest

from bench.papers.document import make_pdf
from bench.papers.layouts import under_a_heading
from bench.pdf import token_f1
from bench.reliability import EARLIER, Paper, cross_validated, fit, reliability
from service.pdf.confidence import WEIGHTS, confidence, signs
from service.pdf.find import candidates, choose
from service.pdf.worker import open_pages


def paper(seed: int, right: bool | None = None) -> Paper:
    pages, abstract = under_a_heading(random.Random(seed))
    with open_pages(make_pdf(*pages)) as read:
        found = list(candidates(read))
    good = [token_f1(one.text, abstract) > 0.9 if right is None else right for one in found]
    return Paper(found, good, real=True, kind=str(seed))


def test_every_sign_has_a_weight() -> None:
    assert WEIGHTS.keys() == EARLIER.keys()
    assert {sign for seed in range(9) for one in paper(seed).candidates for sign in signs(one)} <= WEIGHTS.keys()


def test_what_is_always_right_makes_sure_and_what_is_never_makes_doubt() -> None:
    found = paper(100).candidates[0]
    before = confidence(found, EARLIER)
    sure, doubtful = (fit([paper(seed, right) for seed in range(60)]) for right in (True, False))
    assert confidence(found, doubtful) < before <= confidence(found, sure)


def test_each_answer_is_judged_without_its_own_kind() -> None:
    papers = [paper(seed) for seed in range(20)]
    answered = sum(row[1] for row in cross_validated(papers, papers))
    assert answered == len(papers)
    assert all(row[3] == 1 for row in cross_validated(papers, papers))


def test_ranges_have_how_many_are_right() -> None:
    assert reliability([(0.97, True), (0.97, False), (0.75, True)]) == [
        ("0.70 to 0.89", 1, 0.75, 1.0),
        ("0.96 to 0.98", 2, pytest.approx(0.97), 0.5),
    ]


def test_a_named_abstract_goes_before_what_only_looks_like_one() -> None:
    found = paper(1).candidates
    assert {one.method for one in found} == {"heading", "layout"}
    best = choose(found, {**EARLIER, "layout": 9.0})
    assert best is not None
    assert best.method == "heading"
    assert choose([]) is None
