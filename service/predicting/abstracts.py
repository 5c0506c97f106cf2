"""A client's abstract, checked and brought into its normal form, once."""

import re
from dataclasses import dataclass
from typing import Final

from model.text import normalise
from service.errors import InvalidRequest

MIN_CHARACTERS: Final = 50
MAX_CHARACTERS: Final = 5000
MAX_RAW: Final = 100_000
"""Characters of an abstract as it came: markup, entities and blanks do not count for the limits above."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_WORD: Final = re.compile(r"[^\W\d_]{2}")
"""Two letters in a row, of any script: less is not text."""


@dataclass(frozen=True, slots=True)
class Abstract:
    """raw: the text as it came. text: the normalised text, which is what is hashed and classified."""

    raw: str
    text: str


def read_abstract(value: object) -> Abstract:
    """The abstract that a JSON value is. Raises InvalidRequest naming the field `abstract`.

    A string with words, 50 to 5000 characters in its normal form, without control characters or halves of characters.
    """
    if not isinstance(value, str):
        raise _invalid("Not a string. Send the abstract's text.")
    if not value.isprintable():
        _refuse_unprintable(value)
    if len(value) > MAX_RAW:
        raise _invalid(f"It has {len(value)} characters. Send one abstract, of at most {MAX_CHARACTERS}.")
    raw = value.strip()
    if not raw:
        raise _invalid("There is only white space in it. Send the abstract's text.")
    text = normalise(raw)
    if not _WORD.search(text):
        raise _invalid("There are no words in it. Send the abstract's text.")
    if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
        raise _invalid(
            f"It has {len(text)} characters, markup and surplus white space not counted. "
            f"Send {MIN_CHARACTERS} to {MAX_CHARACTERS}."
        )
    return Abstract(raw, text)


def abstract_or_error(value: object) -> Abstract | InvalidRequest:
    """An item of a list as it will be classified, or what is wrong with it."""
    try:
        return read_abstract(value)
    except InvalidRequest as error:
        return error


def _refuse_unprintable(value: str) -> None:
    if found := _CONTROL.search(value):
        raise _invalid(f"The control character U+{ord(found[0]):04X} is in it. Remove it.")
    if found := _SURROGATE.search(value):
        raise _invalid(f"The lone surrogate U+{ord(found[0]):04X} is in it. Send valid Unicode.")


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest({"abstract": [message]})
