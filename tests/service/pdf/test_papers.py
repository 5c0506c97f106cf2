"""Real papers with their true abstracts, and files that have none to give."""

import json
from pathlib import Path

import pytest

from bench.pdf import ENOUGH, SECONDS, token_f1
from service.pdf.errors import NotAPdf, PdfDamaged, PdfEncrypted, PdfError, PdfWithoutAbstract, PdfWithoutText
from service.pdf.extract import Extractor

SHARE = 0.97

NEGATIVES: dict[str, type[PdfError] | tuple[type[PdfError], ...]] = {
    "encrypted_libreoffice.pdf": PdfEncrypted,
    "corrupt_poppler_395_fuzzed.pdf": PdfDamaged,
    "corrupt_redhat_1531897.pdf": PdfDamaged,
    "corrupt_bug1020226.pdf": PdfDamaged,
    "text_not_pdf.pdf": NotAPdf,
    "zero_bytes.pdf": NotAPdf,
    "scan_gaussian_elimination.pdf": PdfWithoutText,
    "slides_riehl_ct2017.pdf": PdfWithoutAbstract,
    "paper_without_abstract_1609.05765.pdf": PdfWithoutAbstract,
    "middle_pages_ott_antonsen.pdf": PdfWithoutAbstract,
    "bomb_giant.pdf": PdfError,
    "truncated_hep-th_9109009.pdf": PdfDamaged,
}


@pytest.fixture(scope="module")
def papers(shared: Path) -> Path:
    return shared / "pdfs"


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(seconds=SECONDS)


def test_most_abstracts_are_found(papers: Path, extractor: Extractor) -> None:
    manifest = json.loads((papers / "manifest.json").read_text("utf-8"))
    scores: dict[str, float] = {}
    for paper in manifest:
        try:
            found = extractor.extract((papers / paper["file"]).read_bytes())
        except PdfError:
            scores[paper["file"]] = 0.0
        else:
            scores[paper["file"]] = token_f1(found.text, paper["abstract"])
    missed = {file: round(score, 3) for file, score in scores.items() if score < ENOUGH}
    assert len(scores) >= 20
    assert len(missed) <= (1 - SHARE) * len(scores), missed


def test_every_negative_is_expected_here(papers: Path) -> None:
    listed = {entry["file"] for entry in json.loads((papers / "negative.json").read_text("utf-8"))}
    assert listed == set(NEGATIVES)


@pytest.mark.parametrize("file", NEGATIVES)
def test_files_without_an_abstract_are_refused(papers: Path, extractor: Extractor, file: str) -> None:
    with pytest.raises(PdfError) as caught:
        extractor.extract((papers / "negative" / file).read_bytes())
    assert isinstance(caught.value, NEGATIVES[file])
    assert "abstract" in str(caught.value) or "Send" in str(caught.value) or "send" in str(caught.value)


def test_each_kind_that_once_failed_is_found(shared: Path, extractor: Extractor) -> None:
    folder = shared / "cases" / "pdfs"
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    truth |= {paper["file"]: paper["abstract"] for paper in json.loads((folder / "manifest.json").read_text("utf-8"))}
    scores: dict[str, float] = {}
    for file, abstract in truth.items():
        try:
            text = extractor.extract((folder / file).read_bytes()).text
        except PdfWithoutAbstract:
            scores[file] = float(abstract is None)
        else:
            scores[file] = token_f1(text, abstract or "")
    assert {file: round(score, 3) for file, score in scores.items() if score < ENOUGH} == {}
