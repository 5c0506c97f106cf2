"""What is recognised and not read: refused by its name, with a remedy, whatever it is called."""

import io
import zipfile

import pytest

from service.input.errors import InputError, Unsupported, Unusable
from tests.service.input.samples import A, B, abstracts, items


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return packed.getvalue()


@pytest.mark.parametrize("name", ["", "a.txt", "a.jsonl", "a.csv", "a.pdf"])
@pytest.mark.parametrize(
    ("content", "form"),
    [
        (zipped("[Content_Types].xml", "word/document.xml"), "Word"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel"),
        (zipped("mimetype", "content.xml"), "OpenDocument"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old Word"),
        (b"<!DOCTYPE html>\n<html><head><title>A paper</title></head><body><p>We</p></body></html>", "web page"),
        (b"<html>\n<body>We</body></html>", "web page"),
        (b"PAR1\x15\x04" + b"\0" * 100, "Parquet"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "PNG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 100, "JPEG"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 100, "7-Zip"),
        (b"(\xb5/\xfd" + b"\0" * 100, "zstd"),
        (b"a.jsonl".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 300, "tar"),
        (b"SQLite format 3\0" + b"\0" * 100, "SQLite"),
        (b"{\\rtf1 We measure}", "RTF"),
        (b"%!PS-Adobe-3.0\n", "PostScript"),
        (b"% a comment\n\\documentclass{article}\n\\begin{document}", "LaTeX"),
        (b"-- a dump\nCREATE TABLE papers (abstract text);", "SQL"),
        (b"---\nabstract: We measure\n", "YAML"),
        (b"<?xml version='1.0'?><svg xmlns='x'><g/></svg>", "<svg>"),
        (bytes(range(256)) * 10, "neither text nor"),
    ],
)
def test_by_its_content(content: bytes, form: str, name: str) -> None:
    with pytest.raises(Unsupported, match=form) as caught:
        items(content, name)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "table",
    [
        f"id,title,text\n1,T,{A}\n2,U,{B}\n",
        f'1,"{A}"\n2,"{B}"\n',
        f"1\t{A}\n2\t{B}\n",
        f"1;{A.replace(';', '')}\n2;{B}\n",
        f"id\tname\n1\t{A}\n",
        "id,title,year\n1,T,2020\n",
        "a|b|c\n1|2|3\n",
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "", "a.jsonl"])
def test_a_table_without_a_column_of_abstracts(table: str, name: str) -> None:
    with pytest.raises(Unusable, match="table") as caught:
        items(table, name)
    assert "--text-column" in str(caught.value) or "Put one at its top" in str(caught.value)


def test_the_columns_are_named() -> None:
    with pytest.raises(Unusable, match="`id`, `body`"):
        items(f'id,body\n1,"{A}"\n')
    assert abstracts(f'id,body\n1,"{A}"\n', text_column="body") == [A]
    with pytest.raises(Unusable, match="no column `x`"):
        items(A, text_column="x")


LONG = [f"{text[:-1]} in case {i}." for i in range(15) for text in (A, B)]


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n \n\n", "\r\n"])
def test_a_list_that_is_too_long_to_be_one_abstract_is_read(gap: str) -> None:
    found = items(gap.join(LONG), "a.txt")
    assert [(item.abstract or "").strip() for item in found] == LONG
    assert found[1].line == 1 + gap.count("\n")


def test_a_long_list_is_read_to_its_end() -> None:
    assert len(items("\n".join(LONG * 50))) == len(LONG) * 50


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("texts", [(A, B), (A, B, A), (B, B), (f"1. {A}", f"2. {B}"), (f"- {A}", f"- {B}")])
def test_what_may_be_a_list_or_one_abstract_is_asked_about(texts: tuple[str, ...], gap: str) -> None:
    with pytest.raises(Unusable, match="join them") as caught:
        items(gap.join(texts), "a.txt")
    assert f"{len(texts)} parts" in str(caught.value)
    assert abstracts("abstract\n" + "\n".join(texts), "a.txt") == list(texts)


FOLDED = "We measure the branching\nfraction of the decay of B mesons,\nwith great care, and\nfind it small.\n"


@pytest.mark.parametrize(
    "text",
    [
        A,
        FOLDED,
        f"{FOLDED}\nWe find nothing else.\n",
        A.replace(". ", ".\n"),
        f"A title of a paper\n\n{A}",
        f"Abstract\n\n{A}",
        f"Abstract\n{FOLDED}",
        f"abstract\n{FOLDED}",
        f"Background: {A}\n\nMethods: {B}\n\nConclusions: {A}",
        f"Introduction. {A}\nResults. {B}",
        f"{A}\n\nKeywords: one, two",
        f"<jats:title>Abstract</jats:title><jats:p>{A}</jats:p>",
        f"<p>{A}</p>",
        "However, we show\nthat, in this case\nit is, after all\nfine, too\n" + B,
        "[Context] " + A,
        "{\\it Context.} " + A,
        '"Strange" metals are studied. ' + A,
        "@home computing is studied. " + A,
        "a < b, c > d; e | f. " + A,
        "TY Tau is a star. " + A,
        "short",
    ],
)
def test_one_abstract_stays_one(text: str) -> None:
    assert abstracts(text, "a.txt") == [text.strip()]


def test_a_whole_paper_is_told_so() -> None:
    with pytest.raises(Unusable, match="whole paper"):
        items("\n".join(f"Line {i} of a paper, which goes on" for i in range(2000)), "paper.txt")


def test_the_name_does_not_make_lines_of_a_table() -> None:
    assert abstracts(f'id,abstract\n1,"{A}"\n2,"{B}"\n', "upload.jsonl") == [A, B]


def test_prose_that_is_called_a_pdf() -> None:
    with pytest.raises(Unsupported, match="no PDF"):
        items(A.encode(), "a.pdf")
    assert [item.abstract for item in items(A.encode(), "a.txt")] == [A]
    assert [item.abstract for item in items(f"id,abstract\n1,{A!r}\n".encode(), "a.pdf")] == [f"'{A}'"]


def test_a_pdf_is_given_as_it_is() -> None:
    (item,) = items(b"%PDF-1.7\n\xff\xfe\0", "a.jsonl")
    assert (item.pdf, item.abstract, item.problem) == (b"%PDF-1.7\n\xff\xfe\0", None, None)


def test_messages_name_the_file_and_what_is_in_it() -> None:
    with pytest.raises(InputError) as caught:
        items(b"PAR1", "a.txt")
    assert str(caught.value) == 'a.txt: It is a Parquet file. Write it as JSON lines, like {"abstract": "..."}.'
    assert (caught.value.form, caught.value.name) == ("a Parquet file", "a.txt")
