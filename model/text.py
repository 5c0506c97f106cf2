"""What is hashed and classified: one normal form for abstracts that differ only in how they were copied."""

import re
import unicodedata

NORMALISER_VERSION = 1
"""Goes up with every change of the normal form: it is part of each cache key and of each artifact's digest."""

_URL = re.compile(r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"]*[^\s<>\"'.,;:!?()\[\]{}]/?", re.IGNORECASE)

# A "<" that no HTML element follows is mathematics ("p<a" or "<x>" for a mean) and stays.
_INLINE = "a|abbr|b|bdi|big|cite|code|em|font|i|ins|mark|q|s|small|span|strike|strong|sub|sup|tt|u|var"
_BLOCK = "article|blockquote|br|div|dd|dl|dt|h[1-6]|hr|img|li|ol|p|pre|section|table|tbody|td|th|thead|title|tr|ul"
_ATTRIBUTES = r"(?:\s+[a-z][a-z0-9:-]*(?:\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>=]+))?)*\s*"
_TAG = re.compile(rf"</?(?:(?P<inline>{_INLINE})|{_BLOCK}){_ATTRIBUTES}/?>|<!--.*?-->", re.IGNORECASE | re.DOTALL)


def normalise(abstract: str) -> str:
    """Bring an abstract into its normal form: NFC, no URLs, no HTML tags, single spaces.

    Inline tags vanish (`H<sub>2</sub>O` becomes `H2O`); block tags leave a space. The result is a fixed point:
    normalising it again changes nothing. It may be empty.
    """
    text = unicodedata.normalize("NFC", abstract)
    while (stripped := _strip_markup(text)) != text:
        text = stripped
    return text


def _strip_markup(text: str) -> str:
    text = _URL.sub(" ", text)
    text = _TAG.sub(lambda tag: "" if tag["inline"] else " ", text)
    return unicodedata.normalize("NFC", " ".join(text.split()))
