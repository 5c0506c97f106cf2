"""Where log lines go: the access log to standard output, one JSON object a line; the rest to standard error."""

import logging.config
import os
import re
from typing import Any

log = logging.getLogger("abstracts.access")

STANDARD_OUTPUT = 1


class AccessLog:
    """Writes lines to a file descriptor, each in one piece.

    `logging` would take as long for a line as the service for a stored answer. Safe to use from several threads.
    """

    def __init__(self, descriptor: int = STANDARD_OUTPUT) -> None:
        self._descriptor = descriptor
        self.lost = 0

    def write(self, line: str) -> None:
        """Writes the line. One that cannot be written is counted in `lost`; the first is reported."""
        try:
            os.write(self._descriptor, f"{line}\n".encode(errors="backslashreplace"))
        except OSError as error:
            self.lost += 1
            if self.lost == 1:
                log.warning("the access log cannot be written: %s", error)


def configure(level: str) -> None:
    """Sets up logging for a process that serves."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
            "handlers": {"errors": {"class": "logging.StreamHandler", "formatter": "plain"}},
            "root": {"level": level, "handlers": ["errors"]},
        }
    )


def for_granian(address: str) -> dict[str, Any]:
    """Granian's own log: to standard error, since standard output is for the access log. `address`: where it serves."""
    return {
        "filters": {"plain": {"()": f"{__name__}.{PlainStart.__name__}", "address": address}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "generic", "filters": ["plain"]}},
        "loggers": {"_granian": {"handlers": ["console"], "level": "INFO", "propagate": False}},
    }


class PlainStart(logging.Filter):
    """Makes one line of Granian's start, when a worker begins to accept connections.

    Granian itself says that it listens long before that. Its warning of many threads is left out, too: there are that
    many so that stored answers need not wait behind model runs.
    """

    UNWANTED = re.compile(r"Starting granian|Listening at|Spawning worker|.*Python threads", re.DOTALL)

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def filter(self, record: logging.LogRecord) -> bool:
        """False for the lines that go."""
        message = record.getMessage()
        if message.startswith("Started worker"):
            record.msg, record.args = f"Listening on {self._address} ({message.removeprefix('Started ')})", None
        return self.UNWANTED.match(message) is None
