"""Where log lines go: the access log to standard output, one JSON object a line; the rest to standard error."""

import logging.config


def configure(level: str) -> None:
    """Sets up logging for a process that serves."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
                "bare": {"format": "%(message)s"},
            },
            "handlers": {
                "errors": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"},
                "access": {"class": "logging.StreamHandler", "formatter": "bare", "stream": "ext://sys.stdout"},
            },
            "root": {"level": level, "handlers": ["errors"]},
            "loggers": {"abstracts.access": {"handlers": ["access"], "propagate": False}},
        }
    )
