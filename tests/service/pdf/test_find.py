"""Where abstracts stand in papers, and what is kept out of them. Each paper is a PDF that PDFium reads."""

from collections.abc import Sequence

import pytest

from bench.papers.document import Put, make_pdf
from service.pdf.worker import examine
from tests.service.pdf.papers import BODY, SENTENCES, column, head

TEXT = " ".join(SENTENCES)


def body(y: float, heading: str = "1 Introduction") -> list[Put]:
    return [Put(heading, 72, y, 13, True), *column(BODY * 3, 72, y + 24, 10)]


def found(*pages: Sequence[Put], rotate: int = 0) -> dict[str, object]:
    return examine(make_pdf(*pages, rotate=rotate))


@pytest.mark.parametrize("word", ["Abstract", "ABSTRACT", "A B S T R A C T", "Abstract.", "Summary", "1. Abstract"])
def test_under_a_heading(word: str) -> None:
    page = [*head(), Put(word, 280, 160, 11, True), *column(SENTENCES, 90, 180, 9.5), *body(280)]
    answer = found(page)
    assert (answer["text"], answer["method"], answer["page"]) == (TEXT, "heading", 1)


@pytest.mark.parametrize("mark", ["Abstract. ", "Abstract: ", "ABSTRACT ", "Abstract\u2014", "Summary. "])
def test_behind_a_word_on_the_same_line(mark: str) -> None:
    lines = [mark + SENTENCES[0], *SENTENCES[1:]]
    answer = found([*head(), *column(lines, 90, 180, 9.5), *body(280)])
    assert (answer["text"], answer["method"]) == (TEXT, "run-in")


def test_behind_a_bold_word_without_a_mark() -> None:
    page = [*head(), Put("Abstract", 90, 180, 9.5, True), Put(SENTENCES[0], 133, 180, 9.5)]
    answer = found([*page, *column(SENTENCES[1:], 90, 192, 9.5), *body(280)])
    assert (answer["text"], answer["method"]) == (TEXT, "run-in")


def test_by_its_form_alone() -> None:
    answer = found([*head(), *column(SENTENCES, 110, 180, 9), *body(280)])
    assert (answer["text"], answer["method"]) == (TEXT, "layout")


HALF = [half for line in SENTENCES for half in (" ".join(line.split()[:8]), " ".join(line.split()[8:]))]
NARROW = [half for line in BODY for half in (" ".join(line.split()[:8]), " ".join(line.split()[8:]))]


def test_in_the_left_of_two_columns() -> None:
    left = [Put("Abstract", 72, 160, 10, True), *column(HALF, 72, 176, 9)]
    answer = found([*head(), *left, Put("1. Introduction", 72, 320, 12, True), *column(NARROW, 320, 160)])
    assert answer["text"] == TEXT


def test_above_two_columns() -> None:
    columns = [*column(NARROW * 3, 72, 250), *column(NARROW * 3, 320, 250)]
    answer = found([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 72, 176), *columns])
    assert answer["text"] == TEXT


def test_from_the_left_column_into_the_right_one() -> None:
    left = [Put("Abstract", 72, 680, 10, True), *column(HALF[:6], 72, 700)]
    right = [*column(HALF[6:], 320, 160), Put("1 Introduction", 320, 240, 12, True), *column(NARROW, 320, 260)]
    assert found([*head(), *left, *right])["text"] == TEXT


def test_over_the_end_of_a_page_without_its_running_head() -> None:
    first = [*head(), Put("Abstract", 280, 700), *column(SENTENCES[:3], 72, 720), Put("1", 300, 780)]
    second = [Put("LOVELACE AND BABBAGE", 240, 30, 8), *column(SENTENCES[3:], 72, 70), *body(120)]
    assert found(first, second)["text"] == TEXT


def test_on_the_page_after_a_cover() -> None:
    cover = [Put("Technical report 17", 200, 300, 20), Put("Nowhere, 1843", 250, 340)]
    answer = found(cover, [*head(), Put("Abstract", 280, 160), *column(SENTENCES, 72, 180), *body(280)])
    assert (answer["text"], answer["page"]) == (TEXT, 2)


@pytest.mark.parametrize(
    "after",
    [
        "Keywords: grains, drums, sorting by size",
        "Key words and phrases. grains, drums",
        "Index Terms\u2014grains, drums, sorting",
        "PACS numbers: 45.70.-n, 45.70.Mg",
        "2020 Mathematics Subject Classification. Primary 70F45",
        "Received 1 May 1843; accepted 3 June 1843",
        "I. INTRODUCTION",
        "1. Introduction. Granular matter is found in many places.",
    ],
)
def test_what_comes_after_it_is_kept_out(after: str) -> None:
    lines = column([*SENTENCES, after, *BODY], 72, 180)
    assert found([*head(), Put("Abstract", 280, 160), *lines])["text"] == TEXT


def test_wider_text_below_is_kept_out() -> None:
    answer = found([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 110, 180), *column(BODY * 2, 72, 245)])
    assert answer["text"] == TEXT


def test_two_paragraphs_before_the_introduction_belong_together() -> None:
    more = column((*BODY[:3], "number of them that is in motion changes with time."), 110, 254)
    answer = found([*head(), Put("Abstract", 280, 160), *column(SENTENCES, 110, 180), *more, *body(320)])
    assert str(answer["text"]).startswith(TEXT)
    assert str(answer["text"]).endswith("changes with time.")


def test_hyphens_at_line_ends() -> None:
    lines = [
        "We measure how grains in a rotating drum are sorted by size over many turns, and com-",
        "pare the result with a well-known model for the surface flow. The model is a low-",
        "dimensional one with low cost, dimensional analysis gives its only free parameter.",
    ]
    text = str(found([*head(), Put("Abstract", 280, 160), *column(lines, 72, 180), *body(260)])["text"])
    assert " and compare the result with a well-known model" in text
    assert "a low-dimensional one" in text


def test_numbers_of_lines_in_the_margin_are_kept_out() -> None:
    lines = [*head(), Put("Abstract", 280, 160), *column(SENTENCES, 72, 180), *body(280)]
    numbers = [Put(str(i + 1), 40, put.y, 6) for i, put in enumerate(lines)]
    assert found([piece for pair in zip(numbers, lines, strict=True) for piece in pair])["text"] == TEXT


@pytest.mark.parametrize("rotate", [0, 180])
def test_a_page_may_be_turned(rotate: int) -> None:
    page = [*head(), Put("Abstract", 280, 160), *column(SENTENCES, 72, 180), *body(280)]
    assert found(page, rotate=rotate)["text"] == TEXT


def test_a_paper_without_an_abstract() -> None:
    assert found([*head(), *body(160)]) == {"fault": "no-abstract"}


def test_a_letter_whose_text_begins_at_once() -> None:
    assert found([*head(), *column(BODY * 8, 72, 170)]) == {"fault": "no-abstract"}


def test_the_middle_of_a_paper() -> None:
    assert found(column(BODY[1:] * 12, 72, 80)) == {"fault": "no-abstract"}


def test_a_title_that_begins_with_abstract() -> None:
    page = [Put("Abstract Interpretation of Programs", 120, 80, 17), *head()[1:], *body(160)]
    assert found(page) == {"fault": "no-abstract"}


def test_pages_without_characters() -> None:
    assert found([], []) == {"fault": "no-text"}
