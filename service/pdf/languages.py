"""The languages in which abstracts are looked for: what stands above them, and what prose is made of."""

import re
from dataclasses import dataclass
from typing import Final

ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """code: ISO 639-1. headings: of abstracts, letters only. common: frequent words that say little."""

    code: str
    name: str
    headings: frozenset[str]
    common: frozenset[str]


def _language(code: str, name: str, headings: str, common: str) -> Language:
    return Language(code, name, frozenset(headings.split()), frozenset(common.split()))


LANGUAGES: Final = (
    _language(
        ENGLISH,
        "English",
        "abstract summary synopsis extendedabstract executivesummary structuredabstract englishabstract englishsummary"
        " abstractenglish abstractinenglish abstractofthedissertation abstractofthethesis thesisabstract"
        " articleinfoabstract articlesummary abstracts",
        "a an and are as at be been between but by can for from has have in into is it its not of on or our such than"
        " that the their then these they this to using via was we were when where which while with within without",
    ),
    _language(
        "fr",
        "French",
        "résumé resume résuméenfrançais résuméfrançais résumélong",
        "au aux avec ce ces cette comme dans de des du d elle en est et être il la l le les leur mais nous on ont ou où"
        " par pas plus pour qu que qui s sa se ses son sont sur un une à",
    ),
    _language(
        "de",
        "German",
        "zusammenfassung kurzfassung kurzzusammenfassung deutschezusammenfassung",
        "als am an auch auf aus bei das dass dem den der des die diese dieser durch ein eine einem einen einer eines es"
        " für im in ist können mit nach nicht oder sich sie sind sowie über um und von war werden wie wird wurde zu zum"
        " zur",
    ),
    _language(
        "it",
        "Italian",
        "riassunto sommario",
        "a al alla anche che come con da dal dalla degli dei del della delle di e gli ha i il in l la le lo nel nella"
        " non o per più questa questo si sono su tra un una è",
    ),
    _language(
        "pt",
        "Portuguese",
        "resumo",
        "a ao aos as com como da das de do dos e em entre esta este foi foram mais na nas no nos não o os ou para pela"
        " pelo por que se seu sua são um uma à é",
    ),
    _language(
        "es",
        "Spanish",
        "resumen",
        "a al como con de del e el en entre es esta este fue fueron ha la las lo los más no o para por que se ser su"
        " sus son un una y",
    ),
)
"""In the order in which they are preferred where they are equally likely."""
NAMES: Final = ", ".join(language.name for language in LANGUAGES[:-1]) + f" or {LANGUAGES[-1].name}"

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_ELISION: Final = re.compile(r"['’]")
_ENOUGH_COMMON: Final = 0.25
"""The share of common words in prose; in English it is about 0.35, in titles and addresses about 0.1."""


def words(text: str) -> list[str]:
    """The words: runs of letters, with inner hyphens and apostrophes."""
    return _WORD.findall(text)


def prose(text: str) -> float:
    """How much the text reads like running text in one of the languages: 0 (names, addresses, formulas) to about 1."""
    found = words(text)
    if len(found) < 4:
        return 0.0
    lower = sum(word[0].islower() for word in found) / len(found)
    common = 0.0
    for language in LANGUAGES:
        common = max(common, _common(found, language) / _ENOUGH_COMMON)
        if common >= 1:
            return lower
    return lower * common


def language_of(text: str) -> str:
    """The code of the language whose common words are most frequent in the text."""
    found = words(text)
    return max(LANGUAGES, key=lambda language: _common(found, language)).code


def is_abstract_heading(text: str) -> bool:
    """Whether the line is nothing but the heading of an abstract, letter-spaced and numbered or not."""
    letters = re.sub(r"[\W\d_]+", "", text).lower()
    return any(letters in language.headings for language in LANGUAGES)


def _common(found: list[str], language: Language) -> float:
    if not found:
        return 0.0
    parts = [part for word in found for part in _ELISION.split(word.lower())]
    return sum(part in language.common for part in parts) / len(found)
