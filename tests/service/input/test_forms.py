"""Every form of file that is read: its abstracts, ids and titles, whatever it is called."""

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from service.input.errors import InputError, Unusable
from service.input.item import Item
from tests.service.input.samples import A, B, abstracts, items

INVERTED = {word: [i for i, other in enumerate(A.split()) if other == word] for word in A.split()}

ONE_RECORD = {
    "json lines": json.dumps({"id": "1", "abstract": A, "title": "T"}) + "\n",
    "object over lines": json.dumps({"id": "1", "abstract": A, "title": "T"}, indent=1),
    "list": json.dumps([{"id": "1", "abstract": A, "title": "T"}]),
    "crossref": json.dumps({"status": "ok", "message": {"DOI": "1", "abstract": A, "title": ["T"]}}),
    "crossref list": json.dumps({"message": {"facets": {}, "items": [{"DOI": "1", "abstract": A, "title": ["T"]}]}}),
    "openalex": json.dumps({"id": "1", "display_name": "T", "abstract_inverted_index": INVERTED}),
    "openalex list": json.dumps(
        {"meta": {"count": 1}, "results": [{"id": "1", "title": "T", "abstract_inverted_index": INVERTED}]}
    ),
    "datacite": json.dumps({"data": [{"id": "1", "attributes": {"title": "T", "abstract": A}}]}),
    "elasticsearch": json.dumps(
        {"hits": {"total": 1, "hits": [{"_source": {"id": "1", "title": "T", "abstract": A}}]}}
    ),
    "europe pmc": json.dumps({"resultList": {"result": [{"id": "1", "title": "T", "abstractText": A}]}}),
    "sections": json.dumps({"id": 1, "title": "T", "abstract": [{"section": "Abstract", "text": A}]}),
    "csv": f'id,title,abstract\n1,T,"{A}"\n',
    "semicolons, excel's first line": f'sep=;\nid;title;Abstract\n1;T;"{A}"\n',
    "tsv": f"id\ttitle\tsummary\n1\tT\t{A}\n",
    "bars": f"id|title|AB\n1|T|{A}\n",
    "zotero": f'"Key","Title","Abstract Note"\n"1","T","{A}"\n',
    "ris": f"TY  - JOUR\nTI  - T\nAB  - {A[:40]}\n{A[40:]}\nID  - 1\nER  - \n",
    "ris, loosely": f"\nTY - JOUR\nT1 - T\nN2 - {A}\nDO - 1\nER -\n",
    "medline": f"PMID- 1\nOWN - NLM\nTI  - T\nAB  - {A[:76]}\n      {A[76:]}\nFAU - X\n\n",
    "web of science": f"FN Clarivate\nVR 1.0\nPT J\nTI T\nAB {A[:76]}\n   {A[76:]}\nUT 1\nER\n\nEF\n",
    "bibtex": f"% Encoding: UTF-8\n\n@article{{1,\n title={{T}},\n abstract = {{{A}}},\n year=2020\n}}\n",
    "bibtex in quotes": f'@ARTICLE{{1, title="T", ABSTRACT="{A}"}}',
    "atom": f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Search</title><entry><id>1</id>'
    f"<title>T</title><summary>\n  {A}\n</summary></entry></feed>",
    "arxiv's news": f"<feed><entry><id>1</id><title>T</title><summary>arXiv:1v1 Announce Type: new \nAbstract: {A}"
    "</summary></entry></feed>",
    "rss": f"<rss><channel><title>x</title><item><title>T</title><guid>1</guid><description>{A}</description></item>"
    "</channel></rss>",
    "oai-pmh": f"<OAI-PMH><ListRecords><record><header><identifier>1</identifier></header><metadata><arXiv><title>T"
    f"</title><abstract>{A}</abstract></arXiv></metadata></record></ListRecords></OAI-PMH>",
    "dublin core": '<OAI-PMH xmlns:dc="dc"><record><header><identifier>1</identifier></header><dc:title>T</dc:title>'
    f"<dc:description>{A}</dc:description><dc:description>Comment: 5 pages</dc:description></record></OAI-PMH>",
    "pubmed": '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://x/y.dtd"><PubmedArticleSet><PubmedArticle>'
    f"<PMID>1</PMID><ArticleTitle>T</ArticleTitle><Abstract><AbstractText>{A}</AbstractText></Abstract>"
    "</PubmedArticle></PubmedArticleSet>",
    "jats": "<article><front><article-meta><article-id>1</article-id><article-title>T</article-title>"
    f'<abstract abstract-type="graphical"><p>A picture</p></abstract><abstract><p>{A}</p></abstract></article-meta>'
    "</front></article>",
    "endnote": f"<xml><records><record><rec-number>1</rec-number><titles><title><style>T</style></title></titles>"
    f"<abstract><style>{A}</style></abstract></record></records></xml>",
    "refer": f"%0 Journal Article\n%T T\n%X {A}\n%M 1\n",
}


@pytest.mark.parametrize("form", ONE_RECORD)
@pytest.mark.parametrize("name", ["", "a.txt", "a.dat"])
def test_a_record_with_its_id_and_title(form: str, name: str) -> None:
    (item,) = items(ONE_RECORD[form], name)
    assert item.problem is None
    assert item.abstract is not None
    assert " ".join(item.abstract.split()) == A
    assert item.title == "T"
    assert item.input_id == ("1" if form != "refer" else None)


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be, marked": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("form", ["json lines", "object over lines", "csv", "tsv", "ris", "bibtex", "medline"])
def test_encodings_and_line_ends(form: str, encoding: str) -> None:
    (item,) = items(ENCODINGS[encoding](ONE_RECORD[form]))
    assert item.abstract is not None
    assert " ".join(item.abstract.split()) == A


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_in_any_encoding(encoding: str) -> None:
    assert abstracts(ENCODINGS[encoding](A + "\n")) == [A]


def test_xml_says_its_encoding_itself() -> None:
    text = f'<?xml version="1.0" encoding="iso-8859-1"?><feed><entry><summary>{A} Schrödinger</summary></entry></feed>'
    assert abstracts(text.encode("latin-1")) == [f"{A} Schrödinger"]


def test_blank_lines_count_but_are_passed_over() -> None:
    text = "\n" + json.dumps({"abstract": A}) + "\n\n\n" + json.dumps({"abstract": B, "id": 3}) + "\n"
    assert [(item.place, item.line) for item in items(text)] == [("line 2", 2), ("line 5", 5)]


def test_rows_count_as_in_a_spreadsheet() -> None:
    rows = items(f'id,abstract\n\n1,"{A}\n\nmore"\n2,"{B}"\n')
    assert [(item.place, item.line, item.input_id) for item in rows] == [("row 3", 3, "1"), ("row 4", 6, "2")]


def test_places_say_where_to_look() -> None:
    assert [item.place for item in items(json.dumps([{"abstract": A}, B]))] == ["record 1", "record 2"]
    assert items(ONE_RECORD["bibtex"])[0].place == "entry '1'"


def test_what_an_object_wishes_and_all_it_has() -> None:
    record = {"abstract": A, "threshold": 2, "top_k": None, "labels": ["cs"]}
    (item,) = items(json.dumps(record))
    assert item.wishes == {"threshold": 2, "top_k": None}
    assert item.fields == record


def test_columns_by_name() -> None:
    text = f"number,text,abstract,mine\n1,{B},{A[:30]},x\n".replace(", and", " and")
    (item,) = items(text, text_column="text", id_column="mine")
    assert item.abstract == B.replace(", and", " and")
    assert item.input_id == "x"
    (item,) = items(json.dumps({"Body": B, "abstract": A, "id": 1}), text_column="body", id_column="nothing")
    assert (item.abstract, item.input_id) == (B, None)


def test_an_abstract_goes_before_a_summary() -> None:
    assert abstracts(json.dumps({"summary": B, "abstract": A})) == [A]
    assert abstracts(json.dumps({"abstract": None, "summary": B})) == [B]


def test_sections_keep_their_headings() -> None:
    sections = [{"label": "METHODS", "text": "one"}, {"heading": "Results", "text": ["two", "three"]}, "four"]
    assert abstracts(json.dumps({"abstract": sections})) == ["METHODS: one Results: two three four"]
    xml = ONE_RECORD["pubmed"].replace("<AbstractText>", '<AbstractText Label="AIMS">Why.</AbstractText><AbstractText>')
    assert (items(xml)[0].abstract or "").split() == f"AIMS: Why. {A}".split()


def test_words_with_markup_in_them_stay_whole() -> None:
    xml = "<article><abstract><p>H<sub>2</sub>O is <italic>wet</italic>.</p><p>It flows.</p></abstract></article>"
    assert (items(xml)[0].abstract or "").split() == ["H2O", "is", "wet.", "It", "flows."]


def test_tex_in_bibtex_is_resolved_and_formulas_are_kept() -> None:
    text = (
        r"@misc{k, abstract={We m{\'e}asure {SciBERT} at 5\% and 6% of $\alpha_{s} < 3$ \& \textit{in vivo} with R&D}}"
    )
    assert abstracts(text) == [r"We méasure SciBERT at 5% and 6% of $\alpha_{s} < 3$ & in vivo with R&D"]


def test_a_bad_record_is_named_and_the_rest_goes_on() -> None:
    good = json.dumps({"abstract": A})
    bad = ["nonsense", "[1]", "{}", '{"abstract": 3}', '{"abstract": null}', "[" * 100_000, '{"a": ' + "9" * 5000]
    found = items("\n".join([*bad, good]), "a.jsonl")
    assert [item.problem is None for item in found] == [False] * len(bad) + [True]
    assert [item.line for item in found] == list(range(1, len(bad) + 2))
    assert "title" in (items('{"title": "x"}\n' + good)[0].problem or "")


def test_rows_that_do_not_fit_their_header() -> None:
    found = items(f'id,abstract\n1,{A.replace(",", "")}, and, more\n2\n3,"{B}"\n4,"x" y\n5,"{B}",,\n')
    assert [item.problem is None for item in found] == [False, False, True, False, True]
    assert "4 fields" in (found[0].problem or "")
    assert "never" in (items(f'id,abstract\n1,"{A}"\n2,"open\n')[1].problem or "")


def test_entries_without_an_abstract_and_broken_ones() -> None:
    good = f"@article{{b, abstract={{{A}}}}}\n"
    found = items("@article{a, title={T}}\n" + good + "@article{c, abstract={x\n\n" + good)
    assert [item.problem is None for item in found] == [False, True, False, True]
    assert "title" in (found[0].problem or "")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('{"title": "x"}', "--text-column"),
        (json.dumps([{"title": "x"}] * 5), "None of 5"),
        ("@article{a, title={T}}", "abstract"),
        ("TY  - JOUR\nTI  - T\nER  - \n", "abstract"),
        ("<feed><entry><title>T</title></entry></feed>", "abstract"),
        ('[{"abstract": "x"', "JSON"),
        ('{"abstract": "x",\n nonsense}', "line 2"),
        ("<feed><entry></feed>", "XML"),
        ('<?xml version="1.0" encoding="nosuch"?><feed/>', "XML"),
        ('<!DOCTYPE feed [<!ENTITY a "b">]><feed><entry><summary>&a;</summary></entry></feed>', "XML"),
        ("nonsense\n", "text"),
    ],
)
def test_a_file_of_which_nothing_can_be_used(content: str, word: str) -> None:
    if content == "nonsense\n":
        assert abstracts(content) == ["nonsense"]  # too short, which is for others to say
        return
    with pytest.raises(Unusable, match=word) as caught:
        items(content, "a.x")
    assert str(caught.value).startswith("a.x: ")


@pytest.mark.parametrize("content", ["", " \n\n", "[]", "<feed/>", "id,abstract\n", '{"results": []}'])
def test_nothing_in_it(content: str) -> None:
    assert items(content) == []


def test_the_other_encoding_is_named() -> None:
    for text, encoding, named in [
        (f"{A} Schrödinger", "latin-1", "ISO-8859-1"),
        (f"{A} “so”", "cp1252", "WINDOWS-1252"),
        ("本研究では、超伝導量子ビットにおけるデコヒーレンスの起源を調べた。", "shift_jis", "SHIFT_JIS"),
    ]:
        for content in (text, json.dumps({"abstract": text}, ensure_ascii=False), f'id,abstract\n1,"{text}"\n'):
            with pytest.raises(Unusable, match=named):
                items(content.encode(encoding))


def test_another_encoding_where_it_does_not_matter() -> None:
    line = json.dumps({"author": "Schrödinger", "abstract": A}, ensure_ascii=False).encode("latin-1")
    assert abstracts(line) == [A]


def outcome(content: bytes | str, name: str) -> list[Item] | InputError:
    try:
        return items(content, name)
    except InputError as exc:
        return exc


def test_the_cases(shared: Path) -> None:
    """Every file is read, or refused with a message that names a remedy; none is one text by mistake."""
    refused = {"cp1252.jsonl", "latin1.txt", "lines.txt", "paras.txt"}
    found = {path.name: outcome(path.read_bytes(), path.name) for path in (shared / "cases" / "forms").iterdir()}
    assert {name for name, what in found.items() if isinstance(what, InputError)} == refused
    read = {name: what for name, what in found.items() if isinstance(what, list)}
    assert {name for name, what in read.items() if any(item.place == "text" for item in what)} == {
        "bom_crlf.txt",
        "utf16.txt",
    }
    assert {name for name, what in read.items() if not any(item.abstract for item in what)} == {
        "empty.jsonl",
        "empty.txt",
    }


def test_the_expected_cases(shared: Path) -> None:
    lines = (shared / "cases" / "cases.jsonl").read_text("utf-8").splitlines()
    cases = [case for case in map(json.loads, lines) if "file" in case]
    for case in cases:
        found = outcome(case["content"], case["file"])
        assert found.remedy if isinstance(found, InputError) else found[0].place != "text", case["name"]
