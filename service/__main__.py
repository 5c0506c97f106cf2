"""`abstracts`: the commands of `flask --app wsgi` as a program, from any folder; `python -m service` is the same."""

from typing import TYPE_CHECKING, Final

import click
from flask.cli import ScriptInfo

from service import __version__
from service.cli import COMMANDS, LazyCommand, needs_routes

if TYPE_CHECKING:
    from flask import Flask

NAME: Final = "abstracts"


def main() -> None:
    """Runs the command that the process was called with, and ends it with the command's exit status."""
    make_program().main(
        prog_name=NAME, obj=ScriptInfo(create_app=_create_app, set_debug_flag=False, load_dotenv_defaults=False)
    )


def make_program() -> click.Group:
    """The program; each command is imported when it is called."""
    program = click.Group(
        NAME,
        help="Scores for the abstracts of papers, each computed once: the server, and what looks after it.",
        commands=[LazyCommand(name, target, about) for name, (target, about) in COMMANDS.items()],
    )
    return click.version_option(__version__, prog_name=NAME)(program)


def _create_app() -> "Flask":
    from service.app import create_app, create_cli
    from service.cli.common import one_line_errors

    with one_line_errors():
        return create_app() if needs_routes() else create_cli()


if __name__ == "__main__":
    main()
