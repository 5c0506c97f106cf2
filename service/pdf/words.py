"""What lines say about themselves: headings, what follows an abstract, prose."""

import re
from typing import Final

_HEADINGS: Final = ("abstract", "summary", "synopsis", "extendedabstract", "executivesummary")
_RUN_IN: Final = re.compile(
    r"^\W*(?:a\s?b\s?s\s?t\s?r\s?a\s?c\s?t|summary|synopsis)\s*(?P<mark>[.:\-–—−‒―]+\s*|\s+)(?=\S)", re.IGNORECASE
)
_AFTER: Final = re.compile(
    r"""^\W*(?:
      key\s?-?\s?words?\b | index\s+terms\b | (?:additional\s+)?key\s+phrases\b | pacs\b | msc\b | ccs\s+concepts
    | (?:\d{4}\s+)?(?:ams|mathematics?)\s+(?:\(mos\)\s+)?subject | (?:mathematical\s+)?subject\s+class
    | subject\s+headings
    | categories\s+and\s+subject | general\s+terms | acm\s+(?:reference|classification) | jel\b
    | unified\s+astronomy\s+thesaurus | (?:classification|report|preprint)\s+(?:numbers?|codes?)\b
    | abbreviations?\s*: | highlights$ | significance(?:\s+statement)?$ | nomenclature$ | graphical\s+abstract
    | received\b.{0,40}\d | accepted\b.{0,40}\d | submitted\s+to\b | published\s+(?:in|by|online|\d)
    | available\s+online | \(?dated?\s*[:(] | doi\s*[:\s]\s*10 | https?://(?:dx\.)?doi | arxiv\s?(?:eprint)?\s*:
    | (?:e-?mails?|email\s+address(?:es)?)\s*:
    | (?:corresponding|contact)\s+author | correspondence\b | preprint\s+submitted | permission\s+to\s+(?:make|copy)
    | copyright\b | ©\s*\S | (?:table\s+of\s+)?contents\W*$ | r[ée]sum[ée]\b | zusammenfassung\b | resumen\b
    | to\s+appear\s+in | acknowledge?ments?\b | this\s+(?:work|paper|research)\s+(?:is|was)\s+(?:part\w+\s+)?supported
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBER: Final = r"(?:(?:§\s*)?(?:\d{1,2}(?:\.\d{0,2})*|[IVX]{1,4})[.):]?\s*[-–—]?\s*)"
_INTRODUCTION: Final = re.compile(
    rf"^\W*{_NUMBER}?(?:introduction|i\s?n\s?t\s?r\s?o\s?d\s?u\s?c\s?t\s?i\s?o\s?n|motivation|background|overview"
    r"|preliminaries|introductory\s+remarks)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(
    r"\S@\S|\b(?:universit\w+|institut\w*|dept\.?|department|dipartimento|departamento|facult\w+|school of"
    r"|laborator\w+)\b.*(?:,|\d{4})|\b\d{5}\b",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(rf"^{_NUMBER}\s*[A-Z]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_COMMON: Final = frozenset(
    "a an and are as at be been between but by can for from has have in into is it its not of on or our such than that "  # noqa: SIM905
    "the their then these they this to using via was we were when where which while with within without".split()
)
_END: Final = re.compile(r"[.?!:;][\"'”’)\]\d,∗*†‡]*$")
_CITED: Final = re.compile(r"\[\d{1,3}(?:\s?[,–-]\s?\d{1,3})*\]")


def is_heading(text: str) -> bool:
    """Whether the line is nothing but the heading of an abstract, letter-spaced or not."""
    return re.sub(r"[\W\d_]+", "", text).lower() in _HEADINGS


def run_in(text: str, bold: bool) -> str | None:
    """What follows the word "Abstract" on its line; None if that is no heading before a text.

    Without a mark after it the word has to be `bold` or in capitals, and the text has to begin like a sentence.
    """
    found = _RUN_IN.match(text)
    if found is None:
        return None
    rest = text[found.end() :].lstrip(" .:-–—−‒―")
    word = text[: found.start("mark")]
    if found["mark"].strip() or ((bold or word.isupper()) and rest[:1].isupper()):
        return rest
    return None


def is_after(text: str) -> bool:
    """Whether the line begins what stands after an abstract, such as keywords, classifications or the introduction."""
    return bool(_AFTER.match(text)) or is_introduction(text)


def is_introduction(text: str) -> bool:
    """Whether the line is the heading of the first section, or begins with it."""
    found = _INTRODUCTION.match(text)
    if found is None:
        return False
    rest = found["rest"]
    return (len(rest) < 40 and not re.match(r"\s+[a-z]", rest)) or bool(re.match(r"\s*[.:—–-]", rest))


def is_address(text: str) -> bool:
    """Whether the line looks like an affiliation or names an e-mail address."""
    return bool(_ADDRESS.search(text))


def is_numbered(text: str) -> bool:
    """Whether the line may be a numbered heading."""
    return len(text) < 70 and bool(_NUMBERED.match(text)) and not ends_sentence(text)


def ends_sentence(text: str) -> bool:
    """Whether a sentence may end here."""
    return bool(_END.search(text))


def words(text: str) -> list[str]:
    """The words: runs of letters, with inner hyphens and apostrophes."""
    return _WORD.findall(text)


def prose(text: str) -> float:
    """How much the text reads like running English: 0 (names, addresses, formulas) to about 1."""
    found = words(text)
    if len(found) < 4:
        return 0.0
    lower = sum(word[0].islower() for word in found) / len(found)
    common = sum(word.lower() in _COMMON for word in found) / len(found)
    return lower * min(1.0, common / 0.25)


def citations(text: str) -> int:
    """How many references in brackets there are. Introductions have them, abstracts hardly."""
    return len(_CITED.findall(text))
