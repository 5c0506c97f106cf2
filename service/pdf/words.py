"""What lines say about themselves: headings, parts of a structured abstract, what follows an abstract."""

import re
from typing import Final

from service.pdf.languages import prose

_READS: Final = 0.3
_RUN_IN: Final = re.compile(
    r"^\W*(?:a\s?b\s?s\s?t\s?r\s?a\s?c\s?t|summary|synopsis|r[ée]sum[ée]|resumen|resumo|riassunto|sommario"
    r"|zusammenfassung|kurzfassung)\s*(?P<mark>[.:|\-–—−‒―]+\s*|\s+|(?<=[T])(?=[A-Z][a-z]))(?=\S)",
    re.IGNORECASE,
)
_AFTER: Final = re.compile(
    r"""^\W*(?:
      key\s?-?\s?words?\b | index\s+terms\b | (?:additional\s+)?key\s+phrases\b | pacs\b | msc\b | ccs\s+concepts
    | (?:\d{4}\s+)?(?:ams|mathematics?)\s+(?:\(mos\)\s+)?subject | (?:mathematical\s+)?subject\s+class
    | subject\s+(?:headings|terms) | mesh\s+terms | mots[\s-]*cl[ée]s | palabras\s+clave | palavras[\s-]*chave
    | parole\s+chiave | schl(?:ü|ue)sselw(?:ö|oe)rter | schlagw(?:ö|oe)rter | stichw(?:ö|oe)rter | stichworte
    | categories\s+and\s+subject | general\s+terms | acm\s+(?:reference|classification) | jel\b
    | unified\s+astronomy\s+thesaurus | (?:classification|report|preprint)\s+(?:numbers?|codes?)\b
    | abbreviations?\s*: | highlights$ | significance(?:\s+statement)?$ | nomenclature$ | graphical\s+abstract
    | author\s+summary | (?:plain|lay)\W+(?:language\s+)?summary | key\s+(?:points|messages)\b
    | why\s+was\s+this\s+study | what\s+did\s+the\s+researchers
    | (?:what\s+is\s+(?:already\s+)?known\s+(?:on|about)\s+this|what\s+this\s+study\s+adds)
    | received\b.{0,40}\d | accepted\b.{0,40}\d | submitted\s+to\b | published\s+(?:in|by|online|\d)
    | available\s+online | \(?dated?\s*[:(] | doi\s*[:\s]\s*10 | https?://(?:dx\.)?doi | arxiv\s?(?:eprint)?\s*:
    | (?:e-?mails?|email\s+address(?:es)?)\s*: | (?:to\s+cite|how\s+to\s+cite|cite)\s+this | citation\s*:
    | (?:corresponding|contact)\s+author | correspondence\b | \*?\s*to\s+whom\s+corresp | preprint\s+submitted
    | permission\s+to\s+(?:make|copy) | (?:academic|handling|associate)?\s*editors?\s*:
    | (?:reviewed|edited|communicated|handled)\s+by\b
    | copyright\b | ©\s*\S | [rq]\s(?:19|20)\d\d\s+[A-Z] | (?:table\s+of\s+)?contents\W*$ | article\s+(?:history|info)
    | r[ée]sum[ée]\b | zusammenfassung\b | resumen\b | resumo\b | riassunto\b | abstract\W*$
    | to\s+appear\s+in | acknowledge?ments?\b | this\s+(?:work|paper|research)\s+(?:is|was)\s+(?:part\w+\s+)?supported
    | open\s+access\b | this\s+is\s+an\s+open[\s-]access | (?:an?\s+)?(?:earlier|preliminary)\s+version\s+of\s+this
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_DATED: Final = re.compile(r"\b(?:received|revised|accepted|dated|submitted)\b.{0,30}\d", re.IGNORECASE)
_REFERENCE: Final = re.compile(
    r"^[A-Z][A-Za-z.&\s]{2,60}(?:\s\(?(?:19|20)\d\d\)?[,;:]?\s\d+.{0,25}(?:doi|\d[–-]\d)"
    r"|\s\d+\s?:\s?\d+[–-]\d+,)"
    r"|^[Ss]ubjects?\s+[A-Z][\w\s]{3,40},\s[A-Z]"
)
"""The journal's own reference ("Diabetes 60:1872–1881, 2011"), or its list of subjects."""
_NUMBER: Final = r"(?:(?:§\s*)?(?:\d{1,2}(?:\.\d{0,2})*|[IVX]{1,4})[.):]?\s*[-–—|]?\s*)"
_INTRODUCTION: Final = re.compile(
    rf"^\W*{_NUMBER}?(?:introduction|i\s?n\s?t\s?r\s?o\s?d\s?u\s?c\s?t\s?i\s?o\s?n|motivation|background|overview"
    r"|preliminaries|introductory\s+remarks|einleitung|einführung|introducción|introdução|introduzione)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_PART: Final = (
    r"(?:(?:general|study|main|primary|secondary|clinical|specific|key)\s+)?(?:background|introduction|context|setting"
    r"|objectives?|aims?|goals?|purposes?|hypothes[ei]s|rationale|importance|motivation|questions?|problem|materials?"
    r"|methods?|methodology|approach|(?:study\s+|research\s+|experimental\s+)?design|participants?|patients?|subjects?"
    r"|populations?|samples?|interventions?|exposures?|procedures?|protocol|measure(?:ments?|s)"
    r"|outcome\s+measures?|outcomes?|(?:principal\s+)?findings?|results?|observations?|case\s+(?:presentation|report"
    r"|description|summary|study)|case|diagnos[ei]s|treatment|discussion|conclusions?|interpretation|implications?"
    r"|significance|limitations?"
    r"|(?:clinical\s+)?trial\s+registration|trial\s+design|registration|funding|availability(?:\s+and\s+implementation)?"
    r"|contact|supplementary\s+information|study\s+selection|data\s+(?:sources?|extraction|synthesis|collection|analysis)"
    r"|evidence\s+(?:acquisition|synthesis)|review\s+methods|statistical\s+analysis|originality(?:/value)?|value|scope"
    r"|level\s+of\s+evidence|recommendations?|summary|ethics(?:\s+and\s+dissemination)?|lessons|place|time)"
)
_LABEL: Final = re.compile(
    rf"^{_PART}(?:(?:\s*[,/&]\s*|\s+and\s+|\s+of\s+(?:the\s+)?){_PART}|\s+of\s+(?:the\s+)?(?:study|review|data))*"
    r"\s*(?P<mark>[.:—–\-]+|$)?\s*(?P<rest>.*)$",
    re.IGNORECASE,
)
_INTRODUCES: Final = re.compile(r"^\W*(?:background|introduction|motivation|overview)", re.IGNORECASE)
_ADDRESS: Final = re.compile(
    r"\S@\S|\b(?:universit\w+|institut\w*|dept\.?|department|dipartimento|departamento|facult\w+|school of"
    r"|laborator\w+|hospital|college|cent(?:er|re) for)\b.*(?:,|\d{4})|\b\d{5}\b",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(rf"^{_NUMBER}\s*[A-Z]")
_END: Final = re.compile(r"[.?!:;][\"'”’)\]\d,∗*†‡]*$")
_FULL_STOP: Final = re.compile(r"[.?!][\"'”’)\]\d,∗*†‡]*$")
_CITED: Final = re.compile(r"\[\d{1,3}(?:\s?[,–-]\s?\d{1,3})*\]")
_NOTE: Final = re.compile(r"^(?:[∗*†‡§¶+#]|\d\s?[∗*†‡])\s?[A-Z]")


def run_in(text: str, bold: bool, begins: bool = False) -> str | None:
    """What follows the word "Abstract" on its line; None if that is no heading before a text.

    Without a mark after it a capital must follow, and the word has to be `bold` or in capitals, or prose follows on its
    line, or the line `begins` a paragraph of prose.
    """
    found = _RUN_IN.match(text)
    if found is None:
        return None
    rest = text[found.end() :].lstrip(" .:|-–—−‒―")
    word = text[: found.start("mark")]
    if found["mark"].strip() or ((bold or begins or word.isupper() or prose(rest) > _READS) and rest[:1].isupper()):
        return rest
    return None


def label(text: str, bold: bool = False) -> str | None:
    """What follows the label of a structured abstract's part ("Methods: We ..."), "" for a label alone.

    None if the line begins with none. Without a mark the label has to be `bold` or in capitals.
    """
    found = _LABEL.match(text)
    if found is None:
        return None
    rest, head = found["rest"], text[: found.start("rest")].strip()
    if found["mark"] or not rest:
        return rest
    return rest if (bold or head.isupper()) and rest[:1].isupper() else None


def introduces(text: str) -> bool:
    """Whether the line begins like a first section and like a structured abstract's first part as well."""
    return bool(_INTRODUCES.match(text)) and not is_numbered(text)


def is_dated(text: str) -> bool:
    """Whether the line says when a paper was received, accepted or written."""
    return bool(_DATED.search(text))


def is_trailer(text: str) -> bool:
    """Whether the line begins what follows an abstract immediately: keywords, classifications, dates, identifiers."""
    return bool(_AFTER.match(text) or _REFERENCE.match(text))


def is_after(text: str) -> bool:
    """Whether the line begins what stands after an abstract: a trailer or the introduction."""
    return is_trailer(text) or is_introduction(text)


def is_introduction(text: str) -> bool:
    """Whether the line is the heading of the first section, or begins with it."""
    found = _INTRODUCTION.match(text)
    if found is None:
        return False
    rest = found["rest"]
    return (len(rest) < 40 and not re.match(r"\s+[a-z]", rest)) or bool(re.match(r"\s*[.:—–-]", rest))


def is_note(text: str) -> bool:
    """Whether the line begins with the mark of a footnote."""
    return bool(_NOTE.match(text))


def is_address(text: str) -> bool:
    """Whether the line looks like an affiliation or names an e-mail address."""
    return bool(_ADDRESS.search(text))


def is_numbered(text: str) -> bool:
    """Whether the line may be a numbered heading."""
    return len(text) < 70 and bool(_NUMBERED.match(text)) and not ends_sentence(text)


def ends_sentence(text: str) -> bool:
    """Whether a sentence or a part of it may end here."""
    return bool(_END.search(text))


def ends_text(text: str) -> bool:
    """Whether a text may end here."""
    return bool(_FULL_STOP.search(text))


def citations(text: str) -> int:
    """How many references in brackets there are. Introductions have them, abstracts hardly."""
    return len(_CITED.findall(text))
