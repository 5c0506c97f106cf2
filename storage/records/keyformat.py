"""How an API key is written: abs_<id>_<secret><checksum>.

The prefix and checksum let a secret scanner or this service tell a key from garbage without asking the store (the form
that GitHub introduced for its tokens in 2021). id: 12 characters, secret: 30 (178 random bits), checksum: 6 (CRC-32);
all in base 62.
"""

import re
import secrets
import string
import zlib
from typing import Final

from storage.errors import Malformed

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH: Final = 12
SECRET_LENGTH: Final = 30
CHECKSUM_LENGTH: Final = 6

_FORM: Final = re.compile(
    rf"(abs_([0-9A-Za-z]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}}))([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


def new_id() -> str:
    """A random public identifier."""
    return _random(ID_LENGTH)


def is_id(text: str) -> bool:
    """Whether a text can be the identifier of a key."""
    return len(text) == ID_LENGTH and all(character in ALPHABET for character in text)


def new_secret() -> str:
    """A random secret from the operating system's generator."""
    return _random(SECRET_LENGTH)


def format_key(id: str, secret: str) -> str:
    """The text that its owner presents."""
    body = f"abs_{id}_{secret}"
    return body + _checksum(body)


def parse_key(presented: str) -> tuple[str, str]:
    """(id, secret) of a well-formed key; Malformed otherwise. Does not ask the store and never repeats the text."""
    match = _FORM.fullmatch(presented)
    if match is None:
        raise Malformed("an API key looks like abs_<id>_<secret>")
    body, id, secret, checksum = match.groups()
    if checksum != _checksum(body):
        raise Malformed("the checksum of the API key is wrong; it was copied incompletely or mistyped")
    return id, secret


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
