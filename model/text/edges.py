"""What stands around an abstract where it was copied from: its heading and the publisher's copyright line."""

import re
from typing import Final

_OPENERS: Final = (
    r"A|An|As|At|Although|Among|Background|Both|By|Context|Despite|For|From|Given|Here|How|Importance|In|"
    r"Introduction|It|Let|Many|Methods?|Most|Motivated|Motivation|Objectives?|On|One|Our|Over|Purpose|Rationale|"
    r"Recent|Recently|Since|Some|The|These|This|To|Two|Understanding|Using|We|What|When|While|With|Aims?"
)
"""Words that begin an abstract and cannot go on with "Abstract …": neither "Abstract interpretation" nor a title."""

_HEADING: Final = re.compile(
    rf"""\s*+
    (?: \\begin\{{abstract\}} \s*+
      | (?:(?:Article|English|Executive|Extended|Paper|Short|EXTENDED)\s++)?+
        (?:\#++\s*+|[*_\[("'])*+
        (?: [Aa]bstract | ABSTRACT | [Ss]ummary | SUMMARY
          | [Aa]\ b\ s\ t\ r\ a\ c\ t | A\ B\ S\ T\ R\ A\ C\ T | S\ U\ M\ M\ A\ R\ Y )
        (?: \sand\sFigures | /[A-Z]\w++ | \s\((?:in\s)?English\) )?+
        [*_\])"']*+
        (?: \s*+[:.;=>|—–]\W*?(?=[\s\w$\\("'“‘\[])
          | \s*+-{{1,3}}+\s++(?=[A-Z]) | \s*+-{{1,3}}+(?=(?:{_OPENERS})\b)
          | [ \t\r]*+\n
          | (?<=[*_\])])(?=\s)
          | (?=\s++(?:{_OPENERS})\b) | (?=\s++1\.\s) | (?<=[TY])(?=\s++[A-Z][a-z])
        )
        [\s*_:.;=>|—–-]*+
    )++""",
    re.VERBOSE,
)

_YEAR: Final = r"(?:19|20)\d\d"
_MARK: Final = rf"(?:(?!a)[a-zßCRV@#*_&®]|V\s?C)\s?{_YEAR}\s(?=[A-Z]|the\s)"
"""What the sign becomes when a PDF's font has it in the place of a letter: "r 1998 Wiley-Liss"."""
_HOLDER: Final = (
    r"Elsevier|Wiley|Springer|Academic\sPress|IEEE|ACM|IOP|AIP|Blackwell|Karger|Taylor\s*(?:&|and)\s*Francis|Informa|"
    r"Sage|SAGE|Macmillan|Nature\sPublishing|Pergamon|Kluwer|Birkh[aä]user|De\sGruyter|World\sScientific|Hindawi|MDPI|"
    r"Frontiers|Lippincott|Mosby|Thieme|(?:Oxford|Cambridge)\sUniversity\sPress|SPIE|EDP\sSciences|Optica|BMJ|COSPAR|"
    r"(?:[A-Z]\w+\s)*(?:Society|Institute|Association|Academy|Union|Foundation|University)\b"
)
_SIGN: Final = r"(?:©|℗|Ⓒ|ⓒ|\([cC]\))"
_WORD_FOR_SIGN: Final = r"(?:(?:Crown\s)?[Cc]opyright|COPYRIGHT|\\(?:text)?copyright)"
_LINE: Final = re.compile(
    rf"""(?:The\s)?+ (?:
    (?:{_WORD_FOR_SIGN}|{_SIGN}) [\s,:]*+
        (?:{_SIGN}|\(?{_YEAR}|[Bb]y\s|held\s|[Ss]tatement|[Ll]ine|(?:[A-Z][\w.&-]*,?\s){{1,4}}{_YEAR}
          |(?:The\s)?(?:Authors?\b|{_HOLDER}))
  | \(?[©℗Ⓒⓒ]
  | {_MARK}
  | {_YEAR}[,.]?\s(?:{_HOLDER}|(?:The\s)?Authors?\b)
  | Authors?(?:\(s\))?,?\s{_YEAR}
  | (?:{_HOLDER})(?=.*[Rr]ights\s[Rr]eserved)
  | Published\s(?:by|under|{_YEAR})\b
  | U\.\s?S\.\sGovernment\s[Ww]ork
  | Re(?:produced|printed)\swith\s(?:the\s)?(?:kind\s)?permission
  | All\s[Rr]ights\s[Rr]eserved
  | This\s(?:article|work|paper|material)\sis\s(?:an\sopen|protected|licen[cs]ed|distributed|published)
  | This\sis\san\s[Oo]pen
  | (?:Licen[cs]ed\sunder\s)?(?:a\s|the\s)?Creative\sCommons
    )""",
    re.VERBOSE,
)
"""How a publisher's line begins."""
_CERTAIN: Final = re.compile(
    rf"""[©℗Ⓒⓒ] | copyright | \(c\)\s*(?:{_YEAR}|{_HOLDER}|(?:The\s)?Authors?\b) | rights\s+reserved | Creative\sCommons
  | ^(?-i:{_MARK}) | {_YEAR}[,.]?\s(?:{_HOLDER}) | Authors?(?:\(s\))?,?\s{_YEAR} | public\sdomain
  | (?:Published|Re(?:produced|printed))\s(?:by|under|with)\s""",
    re.VERBOSE | re.IGNORECASE,
)
"""Without which it is none."""
_END: Final = re.compile("[.?!)\\]}\"'”’]\\s+|\\n\\s*|(?<=\\s)(?=[©℗Ⓒⓒ])")
"""Behind a sentence, on a line of its own, and with the sign anywhere, such a line may begin."""
_LONGEST: Final = 500
"""Characters of the longest: a licence's text."""

_GLANCE: Final = 30
"""Characters at the end, in which the last word is."""
_HEADINGS_BEGIN: Final = frozenset("AaEPSs#*_[(\"'\\ \n\t\r")

_WORD: Final = re.compile(r"[^\W\d_]+")
_NO_WORDS: Final = re.compile(r"\S+@\S+|\b(?:OCIS codes|PACS(?: numbers?)?)\s*:.*", re.DOTALL)
"""Addresses, and codes of subjects up to the end."""
_SPOKEN: Final = (
    "access adaptation al all an and any are article as author authors be been behalf belongs by codes com "
    "commercial commons content copy copyright creative creativecommons credited de der distributed distribution "
    "do doi domain email et except exclusive for found from granted held http https image images in inal indicated "
    "is it its journals kind licence licenced licences license licensed licensee licenses line ltd made managed "
    "material materials medium modifications nd no noncommercial not noted ocis of on open or org original "
    "otherwise owned owner part party permission permissions permits permitted please properly protected "
    "protection provided public published publisher publishing reprinted reproduction reserved reuse right rights "
    "source spa srl statement subject terms text that the third this to trading und under unported unrestricted us "
    "use used van visit von where which with within work www"
)
"""The words in lower case of such lines, single letters besides; a sentence of an abstract has others."""
_SPOKEN_WORDS: Final = frozenset(_SPOKEN.split())


def cut_edges(text: str) -> str:
    """The text without a heading ("Abstract", "Summary") before and the publisher's copyright lines after it.

    Cut is what is nothing else: "Abstract algebra is …" and "… (Elsevier, 2009)." stay. Cutting what was cut changes
    nothing; a text with nothing to cut comes back as the same object. It may still have its lines, or be one line.
    """
    if text[:1] in _HEADINGS_BEGIN and (heading := _HEADING.match(text)):
        text = text[heading.end() :]
    while (at := _copyright(text)) is not None:
        text = text[:at].rstrip()
    return text


def _copyright(text: str) -> int | None:
    """Where the copyright line at the end begins."""
    if not _is_spoken("".join(text[-_GLANCE:].split()[-1:])):  # nearly always so
        return None
    for end in _END.finditer(text, max(0, len(text) - _LONGEST)):
        rest = text[end.end() :]
        if _LINE.match(rest) and _CERTAIN.search(rest) and _is_spoken(rest):
            return end.start() + (end[0][:1] not in "\n")
    return None


def _is_spoken(line: str) -> bool:
    return all(
        word in _SPOKEN_WORDS or len(word) == 1 or not word.islower() for word in _WORD.findall(_NO_WORDS.sub("", line))
    )
