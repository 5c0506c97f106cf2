"""What is said of a text that the scores do not hold for: they are calibrated on English abstracts of papers."""

import re
from dataclasses import dataclass
from typing import Final

from model.text.language import language_of
from model.text.likeness import Likeness, likeness

_LEAST: Final = Likeness(0, words=-0.4, order=-0.03, letters=0.8)
"""What is below in one of them is unlike abstracts. docs/texts.md says how many abstracts are, too."""

_DOUBTFUL: Final = 0.1
"""Likeness of words below which the language is looked up, which takes 80 MB once and 2 ms a text: one abstract in a
hundred is, and whatever is in another language."""
_ORDINARY: Final = Likeness(0, words=0.4, order=0.1, letters=0.85)
"""What is below in one of them, as one abstract in twenty is, may be boilerplate."""

_NEAR: Final = 160
"""Characters at the beginning in which a placeholder says what it is."""
_LONGEST: Final = 600
"""Characters of the longest placeholder; what is longer says something else besides."""
_WORK: Final = (
    r"(?:paper|submission|article|manuscript|work|preprint|note|letter|comment|e-?print|document|version|abstract)"
)
_GONE: Final = r"(?:with-?drawn|retracted|removed|superseded|suppressed)"
_GIVEN: Final = (
    r"(?:available|given|provided|supplied|found|included|submitted|needed|required|accessible|displayed|shown)"
)
_PLACEHOLDER: Final = re.compile(
    rf"""
    \b(?:no|without|lacks)\s(?:an\s|any\s|\w+\s)?abstract\b(?=\W*(?:$|[.;,:)\]]|(?:is|was|has|text|{_GIVEN}|for|exists)\b))
  | \babstract\b[^.]{{0,60}}\b(?:not|never|no\slonger|un)\s?(?:be\s|been\s|currently\s|yet\s|publicly\s)*{_GIVEN}
  | \babstract\b[^.]{{0,60}}\b(?:withheld|missing|pending|forthcoming|tba|tbd|tbc|n/a)\b
  | \babstract\b[^.]{{0,40}}\b(?:will\sbe|to\sbe)\s(?:added|provided|supplied|written|announced|inserted|completed)\b
  | \bto\sbe\s(?:added|announced|completed|determined|supplied)\s(?:later|soon|shortly)\b
  | \b(?:enter|insert|type|paste|put|write|place|add)\s(?:your|the|an)\sabstract\b
  | \byour\sabstract\s(?:here|goes|text|should)
  | ^\W*(?:this|the|our|my)\s(?:\w+\s){{0,2}}{_WORK}\b[^.]{{0,60}}?\b(?:is|was|are|were|been|being)\s(?:\w+\s)?{_GONE}\b
  | ^\W*(?:(?:{_WORK}|temporarily|now)\W+(?:is\s|was\s|has\sbeen\s)?)?{_GONE}\b
  | ^\W*(?:i|we|the\sauthors?)\s(?:have\s|has\s|hereby\s|wish\sto\s|am\s|are\s)*withdr[ae]w
  | ^\W*(?:n\.?/?a\b\W*|tb[ad]\b\W*|none\b\W*|null\b\W*|unavailable\b\W*){{2,}}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BLIND_TEXT: Final = re.compile(
    r"\b(?:lorem|ipsum|dolor|amet|consectetu?er|consectetur|adipiscing|elit|eiusmod|tempor|incididunt|aliqua|aenean|"
    r"aliquam|curabitur|egestas|maecenas|pellentesque|vestibulum|viverra|senectus|feugiat|ullamcorper)\b",
    re.IGNORECASE,
)
_FEWEST_BLIND: Final = 4

_CERTAIN: Final = re.compile(
    r"""
    \bno\spart\sof\sthis\s(?:publication|book|work|document)\smay\sbe\b | \bpreview\sof\ssubscription\scontent\b
  | \bjava-?script\s(?:is|seems\sto\sbe)\s(?:currently\s)?disabled\b | \benable\s(?:java-?script|cookies)\b
  | \b(?:we|site|website)\suses?\scookies\b | \b(?:accept|manage|reject)\s(?:all\s|your\s)?cookie
  | \bcookie\s(?:preferences|settings|policy)\b | \bsign\sin\sor\screate\b | \blog\sin\svia\b
  | \buse\sof\sthe\sjstor\sarchive\b | \bjstor\sis\sa\snot-for-profit\b
  | \bdiscussions,?\sstats,?\sand\sauthor\sprofiles\b | \brequested\senhancement\sof\sthe\sdownloaded\b
  | \bhal\sis\sa\smulti-?disciplinary\sopen\saccess\b | \baccess\sto\sthis\spage\shas\sbeen\sdenied\b
  | \bterms\sand\sconditions\sof\s(?:access|use)\b | \bis\sfor\s(?:your\s)?personal\suse\b
  | \bmanuscripts?\s(?:should|must|may)\sbe\ssubmitted\b
  | \b(?:guidelines|instructions)\s(?:for|to)\s(?:the\s)?authors\b
  | \bpermission\sis\shereby\sgranted\b | \bwithout\swarrant(?:y|ies)\sof\sany\skind\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Says what it is in one phrase."""
_HINT: Final = re.compile(
    r"""
    \bcookies?\b | \bprivacy\spolicy\b | \byour\sbrowser\b | \b(?:log|sign)\s(?:in|up)\b | \bsubscri(?:be|ption)\b
  | \bterms\s(?:and\sconditions|of\suse)\b | \ball\srights\sreserved\b | \bclick\shere\b | \bnewsletter\b
  | \bpermission\s(?:of|from)\sthe\s(?:publisher|author|copyright) | \bdownload\s(?:pdf|citation)\b | \bbuy\snow\b
  | \bget\saccess\b | \bfull\stext\b | \bpeer.reviewed\b | \bto\s(?:cite|link\sto)\sthis\sarticle\b
  | \bfollow\sus\b | \bsubmitted\sonline\b | \bcopyright\b | \beditor(?:ial\sboard|-in-chief)\b | \bissn\b | \bisbn\b
  | \bcreative\scommons\b | \bmailing\slist\b | \bdisclaimer\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_FEWEST_HINTS: Final = 3
"""Different ones; each alone may be the subject of a paper."""
_CONTENTS: Final = re.compile(
    r"(?:(?:^|\s)(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]+\.)\s[A-Z][^\d.]{2,60}?[\s.]+\d{1,3}\b\.?){4}"
)
"""Numbered headings, each with its page."""


@dataclass(frozen=True, slots=True)
class Warning:
    """code: for programs. detail: a sentence for people, which names what is to be done."""

    code: str
    detail: str


DETAILS: Final = {
    "placeholder": "It stands in the place of an abstract and says nothing of a paper. Send the abstract.",
    "not-english": "It is not, or only in part, in English, but the model was trained on English alone. Translate it.",
    "boilerplate": "It is what a site, a journal or a book prints everywhere. Send the abstract alone.",
    "unlike-abstracts": "It is unlike the abstracts that the model was trained on; its scores hold for such. Check it.",
}
"""What is said under each code."""


def find_warnings(text: str) -> tuple[Warning, ...]:
    """What tells that the scores of a normalised text mean little: nothing, or the most certain one.

    The same text has the same warnings, whatever the model.
    """
    code = _code(text)
    return () if code is None else (Warning(code, DETAILS[code]),)


def _code(text: str) -> str | None:
    like = likeness(text)
    if _is_placeholder(text) or (like.words < _DOUBTFUL and _has_blind_text(text)):
        return "placeholder"
    if like.words < _DOUBTFUL and language_of(text) not in ("en", None):
        return "not-english"
    if _is_below(like, _ORDINARY) and _is_boilerplate(text):
        return "boilerplate"
    return "unlike-abstracts" if _is_below(like, _LEAST) else None


def _is_placeholder(text: str) -> bool:
    return len(text) <= _LONGEST and _PLACEHOLDER.search(text[:_NEAR]) is not None


def _has_blind_text(text: str) -> bool:
    return len({word.lower() for word in _BLIND_TEXT.findall(text)}) >= _FEWEST_BLIND


def _is_boilerplate(text: str) -> bool:
    if _CERTAIN.search(text) or _CONTENTS.search(text):
        return True
    return len({hint.lower() for hint in _HINT.findall(text)}) >= _FEWEST_HINTS


def _is_below(like: Likeness, least: Likeness) -> bool:
    return like.words < least.words or like.order < least.order or like.letters < least.letters
