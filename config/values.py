"""What the text of a setting means. Each reader takes text that is not blank; ValueError says what to give."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

Read = Callable[[str], Any]

TRUE: Final = ("true", "yes", "on", "1", "t", "y")
FALSE: Final = ("false", "no", "off", "0", "f", "n")
UNITS: Final = {
    "ms": "milliseconds",
    "us": "microseconds",
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|us|s|m|h|d|w)\s*")
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
_USUAL_PORTS: Final = {"http": ":80", "https": ":443"}
_SECONDS: Final = re.compile(r"-?\d{1,12}(\.\d+)?")


def text(value: str) -> str:
    """The text itself."""
    return value


def whole(value: str) -> int:
    """A whole number."""
    if not _WHOLE.fullmatch(value):
        raise ValueError("give a whole number.")
    return int(value)


def yes_or_no(value: str) -> bool:
    """A truth value, in any case."""
    if value.lower() not in (*TRUE, *FALSE):
        raise ValueError("give true or false.")
    return value.lower() in TRUE


def path(value: str) -> Path:
    """A file or folder."""
    try:
        return Path(value).expanduser()
    except RuntimeError as exc:
        raise ValueError("there is no such user: write the folder out.") from exc


def duration(value: str) -> timedelta:
    """A number of seconds, or numbers with units such as `250ms` or `1h 30m`."""
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=float(value))
    parts = list(_PART.finditer(value))
    if not parts or "".join(part[0] for part in parts) != value:
        raise ValueError("give seconds, or numbers with units: 250ms, 10s, 5m, 1h 30m, 7d.")
    try:
        return sum((timedelta(**{UNITS[part[2]]: float(part[1])}) for part in parts), timedelta())
    except OverflowError as exc:
        raise ValueError("that is too long.") from exc


def origins(value: str) -> tuple[str, ...]:
    """Web origins as browsers write them (RFC 6454), split by blanks or commas; `*` stands for all."""
    found = value.replace(",", " ").lower().split()
    wrong = [origin for origin in found if origin != "*" and not _ORIGIN.fullmatch(origin)]
    if wrong:
        raise ValueError(
            f"{wrong[0]} is no origin: give scheme and host, and the port if it is another, without a path."
        )
    return tuple(origin.removesuffix(_USUAL_PORTS.get(origin.partition(":")[0], "no port")) for origin in found)


def bounded(read: Read, low: float | None, high: float | None) -> Read:
    """A reader that refuses numbers, or seconds, below or above the bounds."""

    def read_within(value: str) -> Any:
        found = read(value)
        number = found.total_seconds() if isinstance(found, timedelta) else found
        unit = " seconds" if isinstance(found, timedelta) else ""
        if low is not None and number < low:
            raise ValueError(f"give at least {low:g}{unit}.")
        if high is not None and number > high:
            raise ValueError(f"give at most {high:g}{unit}.")
        return found

    return read_within
