"""Secrets, as they may be shown."""

import re
from typing import Final

MASK: Final = "********"

_USER: Final = re.compile(r"(?<=://)\S*@")
_QUERY: Final = re.compile(r"([?&][^=&\s]*(?:pass|pw|secret|token|key)[^=&\s]*=)[^&\s]+", re.IGNORECASE)


def masked(value: str, secret: bool = False) -> str:
    """A value for display: of an address the user and every password are hidden, of another secret all."""
    if "://" not in value:
        return MASK if secret and value else value
    return _QUERY.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", value))
