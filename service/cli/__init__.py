"""The operator's commands, one file a group."""

from flask import Flask


def register(app: Flask) -> None:
    """Adds the commands to `flask --app wsgi`."""
