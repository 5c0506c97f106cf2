import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text import normalise


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  two\n\n  words\t", "two words"),
        ("cafe\u0301", "caf\u00e9"),
        ("\ufb01nite \ufb00 \ufb03x", "finite ff ffix"),
        ("in\u00advis\u200bi\u200dble\ufeff te\u2060xt", "invisible text"),
        ("non\u2011linear and self\u2010similar", "non-linear and self-similar"),
        ("renormal-\nization", "renormalization"),
        ("q\u00b2 stays a square", "q\u00b2 stays a square"),
        ("code at https://example.org/a(b)?c=1#d.", "code at ."),
        ("see (http://example.org/x), and more", "see ( ), and more"),
        ("at www.example.org today", "at today"),
        ("HTTPS://EXAMPLE.ORG/ upper", "upper"),
        ("awww.fine no link", "awww.fine no link"),
        ("<p>Abstract</p><p>One &lt; two.</p>", "One < two."),
        ("Abstract: One. \u00a9 2020 Elsevier B.V.", "One."),
        ("<p></p>" * 10 + "Hello world.", "Hello world."),
        ("<span>abcde</span>" * 120, "abcde" * 120),
        ("", ""),
    ],
)
def test_normal_form(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


PIECES = [
    *(
        "<",
        ">",
        "/",
        "b",
        "p",
        "sub",
        "math",
        "mml:mi",
        "&lt;",
        "&gt;",
        "&amp;",
        "amp;",
        "#38;",
        "lt;",
        "&shy;",
        "&#111;",
    ),
    *("Abstract", "Summary", ":", ".", "-", "\n", " ", "\u00a9", "2020", "Elsevier", "All rights reserved", "We"),
    *(
        "http://",
        "www.",
        "x.org",
        "e\u0301",
        "\u0338",
        "\u00ad",
        "\u200b",
        "\ufb01",
        "renormal",
        "ization",
        "con",
        "tent",
    ),
    *("<!--", "-->", "<![CDATA[", "]]>", 'a="1"', "<br/>", "A b s t r a c t", "(c)", "r 1998", "\\begin{abstract}"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=200))
def test_normal_form_is_a_fixed_point(raw: str) -> None:
    once = normalise(raw)
    assert normalise(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<",
            "<b>",
            "<b a=",
            '<b a="',
            "<!--",
            "<math>",
            "&amp;",
            "amp;",
            "&#38;",
            "&#3&#56;",
            "a-\n",
            "a ",
            "http://.",
        ),
        *("Abstract: ", ". (c) 2020 Elsevier", "\u0301\u0316", "<tex-math>", "#", "A. ", "Published by Elsevier. "),
    ],
)
def test_a_text_that_was_made_to_be_slow_costs_no_more_than_its_length(piece: str) -> None:
    """Squared, any of them would take minutes."""
    text = "&<a" + piece * (100_000 // len(piece))
    assert normalise(normalise(text)) == normalise(text)


def test_forms_of_one_abstract_are_one_text(shared: Path) -> None:
    cases = [json.loads(line) for line in (shared / "cases" / "cases.jsonl").read_text("utf-8").splitlines()]
    plain = cases[0]["abstract"]
    forms = {case["name"]: normalise(case["abstract"]) for case in cases if "same id" in case["expected"]}
    assert len(forms) == 10
    assert forms == dict.fromkeys(forms, plain)


def test_abstracts_as_arxiv_has_them_stay_as_they_are(shared: Path) -> None:
    """But for links, markup and words that a line had cut: none loses a heading or a last line to a mistake."""
    import gzip

    with gzip.open(shared / "data" / "arxiv-dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["abstract"] for line in lines]
    plain = [text for text in texts if not any(mark in text for mark in ("<", "&", "://", "www.", "- "))]
    assert len(plain) > 2000
    assert [text for text in plain if normalise(text) != text and not text.startswith(("Summary:", "Abstract"))] == []
