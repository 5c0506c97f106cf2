import gzip
import json
import lzma
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from model.text import normalise
from model.text.warnings import DETAILS, find_warnings

LANGUAGES = (
    "german french spanish italian portuguese dutch polish czech swedish finnish hungarian turkish indonesian "
    "vietnamese latin russian ukrainian greek chinese japanese korean arabic hindi hebrew norwegian thai"
)


class Text(NamedTuple):
    """kind: what it is. seen: whether the patterns were written with it at hand."""

    kind: str
    seen: bool
    text: str


def texts() -> list[Text]:
    lines = (Path(__file__).parent / "texts.jsonl").read_text("utf-8").splitlines()
    return [Text(**json.loads(line)) for line in lines]


def code_of(text: str) -> str | None:
    found = [warning.code for warning in find_warnings(normalise(text))]
    return found[0] if found else None


@pytest.mark.parametrize("language", LANGUAGES.split())
def test_another_language_is_told(language: str) -> None:
    assert {code_of(item.text) for item in texts() if item.kind == language} == {"not-english"}


def test_a_text_in_two_languages_is_told() -> None:
    french, english = (next(item.text for item in texts() if item.kind == kind) for kind in ("french", "abstract"))
    assert code_of(f"{french} {english}") == "not-english"


def test_what_stands_in_the_place_of_an_abstract_is_told() -> None:
    found = {item.text: code_of(item.text) for item in texts() if item.kind in ("placeholder", "lorem")}
    assert [text for text, code in found.items() if code != "placeholder"] == [
        "No summary was submitted with this manuscript. No summary was submitted with this manuscript."
    ]
    assert None not in found.values()


def test_hardly_a_text_that_is_no_abstract_goes_without_a_warning() -> None:
    others = [item for item in texts() if item.kind != "abstract"]
    assert len(others) == 154
    assert [item.kind for item in others if code_of(item.text) is None] == ["legal", "email"]


def test_of_abstracts_from_other_fields_hardly_one_is_warned_of() -> None:
    abstracts = [item.text for item in texts() if item.kind == "abstract"]
    assert len(abstracts) == 17
    assert len([text for text in abstracts if code_of(text)]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "We show that the Weyl algebra has no abstract commensurator, and that this holds in every rank.",
        "The dark photon has not been found. We withdraw no claim, and propose a search that removes the background.",
        "Copyright detection in large language models is studied; we propose a watermark that survives paraphrasing.",
        "HTTP cookies track users across sites; we measure how many sites set them without the consent of the user.",
    ],
)
def test_what_speaks_of_such_things_is_not_told(text: str) -> None:
    assert code_of(text) is None


def test_a_warning_says_what_to_do() -> None:
    (warning,) = find_warnings("Wir messen die Masse des Top-Quarks in Kollisionen von Protonen und Antiprotonen.")
    assert warning.detail == DETAILS[warning.code]
    assert "Translate it" in warning.detail


@pytest.mark.parametrize("name", ["arxiv-dev-2026.jsonl.gz", "arxiv-dev.jsonl.gz", "arxiv-train-8.jsonl.xz"])
def test_hardly_a_real_abstract_is_warned_of(shared: Path, name: str) -> None:
    """Of all abstracts less than 1 %; measured is a third of it at most."""
    abstracts = list(islice(_abstracts(shared / "data" / name), 4000))
    warned = [text for text in abstracts if code_of(text)]
    assert len(warned) <= len(abstracts) * 0.005


def _abstracts(path: Path) -> Iterator[str]:
    with (gzip if path.suffix == ".gz" else lzma).open(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line)["abstract"] for line in lines)
