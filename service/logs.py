"""Where log lines go: the access log to standard output, one JSON object a line; the rest to standard error."""

import logging.config
import os
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


def for_granian() -> dict[str, Any]:
    """Granian's own log: to standard error, since standard output is for the access log."""
    return {
        "filters": {"intended": {"()": f"{__name__}.{NotAboutThreads.__name__}"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "generic", "filters": ["intended"]}},
        "loggers": {"_granian": {"handlers": ["console"], "level": "INFO", "propagate": False}},
    }


class NotAboutThreads(logging.Filter):
    """Keeps out Granian's warning of many threads: there are that many so that hits need not wait behind misses."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for that warning."""
        return "Python threads" not in record.getMessage()
