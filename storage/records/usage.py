"""Usage of API keys by day (UTC): what each process has counted, added up when it is read.

`usage/DAY/KEY` holds the totals of every process that served the key on that day, each changed by that process alone.
So a write that may have taken effect can be repeated: nothing is lost by it, and nothing counts twice. A process that
ends adds its totals to those of all that have ended, so that a document does not grow with every restart.
"""

import logging
import secrets
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import reduce
from operator import add
from typing import Final

import msgspec

from storage.base import Backend, Entry
from storage.errors import Corrupt
from storage.records.documents import Document, decode, encode, update

logger = logging.getLogger(__name__)

NAMESPACE: Final = "keys"
KEPT: Final = timedelta(days=400)
"""How long a day's usage is kept after it was last written."""
AT_ONCE: Final = 1000
"""Documents that are asked for together."""
ENDED: Final = "ended"
"""Stands for all processes that have ended."""


class Usage(msgspec.Struct, omit_defaults=True, gc=False):
    """What was done with a key.

    requests: answered over HTTP. hits and misses: abstracts answered without and with a run of the model, in jobs, too.
    model_seconds: of these runs. pdfs: papers that were read.
    """

    requests: int = 0
    hits: int = 0
    misses: int = 0
    model_seconds: float = 0.0
    pdfs: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Usage(*map(add, mine, theirs))

    def to_object(self) -> dict[str, int | float]:
        """As it is shown: seconds to the millisecond."""
        return msgspec.structs.asdict(self) | {"model_seconds": round(self.model_seconds, 3)}


class Usages:
    """Usage over a backend. Anything may raise Unavailable."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def write(self, day: date, key: str, process: str, usage: Usage, *, ended: bool = False) -> None:
        """Note what a process (new_process()) has counted for a key since that day began; safe to repeat.

        With `ended` it was the last time: the process is forgotten, and writes no more of that day and key.
        """

        def change(document: Document | None) -> Document:
            totals = {} if document is None else _totals(document, at)
            totals[process] = usage
            if ended:
                totals[ENDED] = totals.get(ENDED, Usage()) + totals.pop(process)
            return {"processes": msgspec.to_builtins(totals)}

        at = _at(day, key)
        try:
            update(self._backend, NAMESPACE, at, change, KEPT)
        except Corrupt as exc:
            # The others write their own totals again when they next have something to write.
            logger.warning("the usage of an API key is damaged and begun anew (%s)", exc)
            self._backend.put(NAMESPACE, at, encode(change(None)), KEPT)

    def read(self, days: Iterable[date], keys: Iterable[str]) -> dict[tuple[date, str], Usage]:
        """The usage of these keys on these days, by both; what there was not is absent. What is damaged is logged."""
        pairs = {_at(day, key): (day, key) for day in days for key in keys}
        names = list(pairs)
        found: dict[tuple[date, str], Usage] = {}
        for start in range(0, len(names), AT_ONCE):
            for name, entry in self._backend.get_many(NAMESPACE, names[start : start + AT_ONCE]).items():
                found[pairs[name]] = _sum(name, entry)
        return {pair: found[pair] for pair in pairs.values() if pair in found}


def last_days(number: int, now: datetime) -> list[date]:
    """The day of `now` and those before it, `number` in all, the earliest first; none that is kept no more."""
    return [(now - timedelta(days=back)).date() for back in reversed(range(min(number, KEPT.days)))]


def new_process() -> str:
    """A name for a process, which no other has."""
    return secrets.token_hex(4)


def _at(day: date, key: str) -> str:
    return f"usage/{day.isoformat()}/{key}"


def _sum(name: str, entry: Entry) -> Usage:
    try:
        return reduce(add, _totals(decode(entry), name).values(), Usage())
    except Corrupt as exc:
        logger.warning("left out, since it cannot be read: %s", exc)
        return Usage()


def _totals(document: Document, name: str) -> dict[str, Usage]:
    try:
        return msgspec.convert(document.get("processes"), dict[str, Usage])
    except msgspec.ValidationError as exc:
        raise Corrupt(f"{name}: {exc}") from exc
