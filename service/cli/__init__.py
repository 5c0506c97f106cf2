"""The operator's commands, one file a group; each is imported when it is called."""

import sys
from importlib import import_module
from typing import Any, Final

import click
from flask import Flask
from flask.cli import FlaskGroup

COMMANDS: Final = {
    "config": ("service.cli.config:config", "Show and check the settings."),
    "keys": ("service.cli.keys:keys", "Create, list, change and revoke API keys, and see what they are used for."),
    "limiter": ("flask_limiter.commands:cli", "Flask-Limiter maintenance & utility commands"),
    "model": ("service.cli.model:model", "Inspect, train, measure and build models."),
    "predict": (
        "service.cli.predict:predict",
        "Classify the abstracts in FILES, in the files of folders, or in standard input for -.",
    ),
    "serve": ("service.cli.serve:serve", "Serve the API and the web page."),
    "store": ("service.cli.store:store", "Look after what is stored."),
}
"""Where each command is and what it does, so that `--help` and a call of one import none of the others."""


class LazyCommand(click.Command):
    """Stands for a command in lists; imports it when it is called, or asked for its own help."""

    def __init__(self, name: str, target: str, help: str) -> None:
        super().__init__(name, help=help)
        self._target = target

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command itself, which click then invokes."""
        return self.load().make_context(info_name, args, parent, **extra)

    def load(self) -> click.Command:
        """The command itself."""
        module, _, attribute = self._target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


def is_own_command() -> bool:
    """Whether `flask` runs in this process, for a command of ours or to list commands: it needs no routes."""
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.find_root().command, FlaskGroup):  # granian is a click program, too
        return False
    return not needs_routes()


def is_served() -> bool:
    """Whether this process is a server, or forks those that are: not `flask` with another command than `run`."""
    context = click.get_current_context(silent=True)
    by_flask = context is not None and isinstance(context.find_root().command, FlaskGroup)
    return not by_flask or "run" in sys.argv[1:]


def needs_routes() -> bool:
    """Whether this process was called with one of the commands of others, which ask for the whole application."""
    return bool({"run", "routes", "shell", "limiter", "openapi"} & set(sys.argv[1:]))


def register(app: Flask) -> None:
    """Adds the commands to `flask --app wsgi`, which has those of flask-limiter already."""
    for name, (target, help) in COMMANDS.items():
        app.cli.add_command(LazyCommand(name, target, help))
