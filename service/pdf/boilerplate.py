"""What stands on the first pages and is nobody's abstract: licences, cover sheets, captions, front matter."""

import re
from collections.abc import Sequence
from typing import Final

from service.pdf.languages import prose, words
from service.pdf.lines import Line

_COVER: Final = re.compile(
    r"""jstor\sis\sa\snot-for-profit | your\suse\sof\sthe\sjstor | jstor\sarchive | stable\surl
    | see\sdiscussions,\sstats | user\shas\srequested\senhancement | uploaded\sby\s.{2,60}\son\s\d
    | this\sarticle\swas\sdownloaded\sby | full\sterms\s(?:&|and)\sconditions\sof | conditions-of-access
    | multi-?disciplinary\sopen\saccess\sarchive | archive\souverte\spluridisciplinaire
    | repository\scopy\sof | citation\sfor\spublished\sversion | take\s?down\spolicy | general\srights
    | institutional\srepository | digital\s?commons | escholarship | brought\sto\syou\s(?:for\sfree|by)
    | view\sthe\sarticle\sonline\sfor\supdates | this\scontent\swas\sdownloaded\sfrom
    | article\s(?:is\sprotected\sby\scopyright|appeared\sin\sa\sjournal\spublished) | attached\scopy\sis\sfurnished
    | access\sto\sthis\sdocument | for\sadditional\sinformation\sabout\sthis | link\sto\spublication
    | please\sscroll\sdown\sfor\sarticle | accepted\sversion\sof | peer-?reviewed\sversion\sof
    | additional\sservices\sand\sinformation\sfor | (?:paper|article)\sis\s(?:posted|published\swith\sopen\saccess)\sat
    | accepted\sarticle\sthat\shas | (?:been\s)?accepted\sfor\spublication\sand | technical\sreports\sare\savailable
    | (?:is|are)\savailable\sat\s(?:the\s)?(?:http|www)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Phrases of sheets that archives and publishers put before a paper."""

_LEGAL: Final = re.compile(
    r"""creative\s?commons | open[-\s]access\s(?:article|under) | which\spermits\sunrestricted
    | unrestricted\s(?:non-?commercial\s)?use | properly\scited | all\srights\sreserved | rights\slink
    | permission\sto\s(?:make|copy|reproduce) | reprints?\sand\spermission | personal\suse\sonly
    | terms\s(?:and|&)\sconditions | trade\s?mark | without\s(?:the\s)?(?:prior\s)?(?:written\s)?permission
    | (?:views|opinions|positions)\s(?:expressed|and\sopinions) | ^\W*data\savailability
    | supplementary\s(?:materials?|information|notes|methods)\sfor | ^\W*(?:other\s)?supplementary\s
    | ^\W*first\spublished\sin | ^\W*in\sthe\s(?:original|article|paper)\W.{0,40}(?:published|titled|entitled)
    | ^\W*the\s(?:paper|article)\s(?:titled|entitled) | do\snot\s(?:necessarily\s)?(?:represent|reflect)
    | ^\W*disclaimer
    | neither\sthe\s(?:author|publisher) | liable\sfor | no\spart\sof\sthis | not-for-profit\sservice
    | electronic\ssupplementary\smaterial | the\sonline\sversion\sof\sthis\sarticle
    | peer\s?review\sunder\sresponsibility | reserves?\sthe\sright | copyright\s(?:holder|owner|notice|law)
    | author['’]?s?\smanuscript | for\s(?:re)?use,?\splease | this\s(?:material|document)\sis\sbased\supon\swork
    | library\sof\scongress | isbn | acknowledg(?:e|es)\s(?:the\s)?(?:financial|support)
    | (?:is|was|were|been)\s(?:partially\s|partly\s|in\spart\s)?(?:supported|funded)\s(?:in\spart\s)?by""",
    re.IGNORECASE | re.VERBOSE,
)
_LICENCE_END: Final = re.compile(
    r"(?:properly\s(?:cited|attributed|credited)|are\scredited|is\s(?:properly\s)?cited)\W*$", re.I
)
_CAPTION: Final = re.compile(
    r"^\W*(?:fig(?:ure|\.)?|tab(?:le|\.)|scheme|plate|chart|box|algorithm|listing|photo|exhibit)\s?[\dIVX]{1,4}\b",
    re.IGNORECASE,
)
_THESIS: Final = re.compile(
    r"""in\s(?:partial\s)?ful+fil+ment\sof | (?:hereby|i)\s(?:declare|certify) | submitted\s(?:for|to|in)\b.*degree
    | (?:my|i)\s(?:would\slike\sto\s)?thank | this\s(?:thesis|dissertation)\sis\s(?:my|dedicated) | own\swork\b
    | dedicated\sto | has\snot\sbeen\ssubmitted | thesis\s(?:submitted|presented)
    | dissertation\s(?:submitted|presented)""",
    re.IGNORECASE | re.VERBOSE,
)
_FRONT: Final = frozenset(
    "acknowledgements acknowledgments acknowledgement acknowledgment declaration declarations dedication preface"  # noqa: SIM905
    " contents tableofcontents listoffigures listoftables listofabbreviations abbreviations foreword certificate"
    " approval copyright statementoforiginality originality vita publications listofpublications danksagung"
    " inhaltsverzeichnis remerciements agradecimientos agradecimentos erklärung declarationofauthorship notation"
    " abstract zusammenfassung résumé resumo resumen kurzfassung riassunto sommario nomenclature glossary listofsymbols"
    " statutorydeclaration selbstständigkeitserklärung índice tabledesmatières".split()
)
_LEADERS: Final = re.compile(r"(?:\.\s?){4}")
_SHORT: Final = 480
_NEAR: Final = 120
_PROSE_OF_A_BODY: Final = 14
"""Lines of prose; so many are a text, fewer are a title page's."""


def is_caption(text: str) -> bool:
    """Whether a figure's or table's caption begins so."""
    return bool(_CAPTION.match(text))


def is_notice(text: str) -> bool:
    """Whether the text is a licence, a disclaimer, a thesis' declaration or the like.

    One phrase of theirs is enough in a short text or near its beginning; a long text may have one in passing.
    """
    found = [match.start() for kind in (_LEGAL, _COVER, _THESIS) for match in kind.finditer(text)]
    return bool(found) and (len(text) < _SHORT or min(found) < _NEAR or len(found) > 2)


def ends_licence(text: str) -> bool:
    """Whether a licence's last line ends so."""
    return bool(_LICENCE_END.search(text))


def is_cover(page: Sequence[Line]) -> bool:
    """Whether the page is a sheet that an archive or publisher put before the paper."""
    return bool(_COVER.search(" ".join(line.text for line in page)))


def is_front_matter(page: Sequence[Line]) -> bool:
    """Whether the paper or thesis has not begun on this page: a cover, a title page, contents, thanks, declarations."""
    heads = {"".join(words(line.text)).lower() for line in page[:6]}
    if is_cover(page) or heads & _FRONT or sum(bool(_LEADERS.search(line.text)) for line in page) >= 4:
        return True
    long = [line for line in page if len(words(line.text)) >= 6]
    return len(long) < 2 * _PROSE_OF_A_BODY and sum(prose(line.text) > 0.4 for line in long) < _PROSE_OF_A_BODY
