"""Abstracts on pages as publishers, archives and universities print them; several of each kind, all invented."""

import random

import pytest

from bench.papers.archives import BEHIND, NONE
from bench.papers.document import make_pdf
from bench.papers.layouts import NAMED, UNNAMED, Layout
from bench.pdf import ENOUGH, token_f1
from service.pdf.worker import examine

EACH = 3


def name(layout: Layout) -> str:
    return layout.__name__


@pytest.mark.parametrize("seed", range(EACH))
@pytest.mark.parametrize("layout", [*NAMED, *UNNAMED, *BEHIND], ids=name)
def test_the_abstract_is_found_whole_and_alone(layout: Layout, seed: int) -> None:
    pages, abstract = layout(random.Random(f"{name(layout)} {seed}"))
    answer = examine(make_pdf(*pages))
    assert token_f1(answer.get("text", ""), abstract or "") >= ENOUGH, answer


@pytest.mark.parametrize("layout", NONE, ids=name)
def test_most_of_what_has_no_abstract_is_refused(layout: Layout) -> None:
    """Some first paragraphs look like one; those are not sure."""
    answers = [examine(make_pdf(*layout(random.Random(f"{name(layout)} {seed}"))[0])) for seed in range(8)]
    assert sum("fault" in answer for answer in answers) >= 4, answers
    assert max(answer.get("confidence", 0.0) for answer in answers) < 0.97
