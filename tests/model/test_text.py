import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text import normalise


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  two\n\n  words\t", "two words"),
        ("cafe\u0301", "caf\u00e9"),
        ("code at https://example.org/a(b)?c=1#d.", "code at ."),
        ("see (http://example.org/x), and more", "see ( ), and more"),
        ("at www.example.org today", "at today"),
        ("HTTPS://EXAMPLE.ORG/ upper", "upper"),
        ("H<sub>2</sub>O and x<SUP>2</SUP>", "H2O and x2"),
        ('<p class="abstract">One.</p><br/>Two.', "One. Two."),
        ("before<!-- a remark -->after", "before after"),
        ("a < b and c > d", "a < b and c > d"),
        ("the mean <x> of p<a", "the mean <x> of p<a"),
        ("$i<b>j$ stays apart", "$ij$ stays apart"),
        ("<<b>b>bold", "bold"),
        ("awww.fine no link", "awww.fine no link"),
        ("", ""),
    ],
)
def test_normal_form(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@given(st.text(st.sampled_from("<>/bsup ahtp:w.e\u0301\u0338\n"), max_size=60) | st.text(max_size=200))
def test_normal_form_is_a_fixed_point(raw: str) -> None:
    once = normalise(raw)
    assert normalise(once) == once


def test_a_long_run_of_opening_brackets_costs_no_more_than_its_length() -> None:
    assert normalise("<" * 5000) == "<" * 5000
    assert normalise("<b>" * 1600) == ""
