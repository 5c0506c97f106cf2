"""What all commands share: how they fail, what they are given, how they print."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup, ScriptInfo

from config import SettingsError
from model.errors import ModelError, ModelUnavailable
from service.bootstrap import Services
from service.errors import ServiceError
from service.listings import remedy
from storage.errors import StorageError

if TYPE_CHECKING:
    from rich.progress import Progress

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what may go wrong in operation into click's `Error: …` on standard error and exit status 1."""
    try:
        yield
    except ModelUnavailable as exc:
        raise click.ClickException(f"{exc}; {remedy(exc.name, exc.state, exc.need)}") from exc
    except (ModelError, ServiceError, SettingsError, StorageError, OSError) as exc:
        raise click.ClickException(str(exc)) from exc


class Command(click.Command):
    """A command that fails with one line."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


class CommandGroup(AppGroup):
    """A group whose commands fail with one line."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


@contextmanager
def services() -> Iterator[Services]:
    """The app's collaborators, closed when the command is done."""
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    opened: Services = app.services  # type: ignore[attr-defined]
    try:
        yield opened
    finally:
        opened.close()


def print_json(value: object) -> None:
    """JSON to standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """A table to standard output; numbers to the right. Off a terminal it is as wide as its content."""
    from rich.console import Console
    from rich.table import Table

    listed = [list(row) for row in rows]
    table = Table(header_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = bool(listed) and all(isinstance(row[i], int | float) for row in listed)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(_plain(cell) for cell in row))
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 240)
    if title:
        console.print(title)
    console.print(table)


def _plain(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)


def progress_bar(*columns: Any, disable: bool = False) -> "Progress":
    """A progress bar on standard error with elapsed time, time left and whatever `columns` show besides."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=disable,
    )
