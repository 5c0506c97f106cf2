"""What all commands share: how they fail, what they are given, how they print."""

import json
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unicodedata import east_asian_width

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

GAP: Final = 2
"""Blanks between two columns of a table."""
UNBROKEN: Final = 1_000_000
"""Columns of a table that nobody sees on a terminal."""

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


def program() -> str:
    """How a shell in the current folder calls these commands, to be printed before one of them."""
    script = Path(sys.prefix, "bin", "abstracts")
    if not script.is_file():
        return "flask --app wsgi"
    found = shutil.which("abstracts")
    if found is not None and Path(found) == script:
        return "abstracts"
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here := Path.cwd()) else script))


def print_json(value: object) -> None:
    """JSON to standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """A table to standard output; numbers to the right.

    Lines break at blanks alone, so that an id can be copied: a table whose words need more room than the terminal has
    is wider. Off a terminal nothing is broken.
    """
    listed = [[*row] for row in rows]
    plain = [[*columns], *([_plain(cell) for cell in row] for row in listed)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNBROKEN
    widths = _widths(list(zip(*plain, strict=True)), room)
    numeric = [
        bool(listed) and all(isinstance(cell, int | float) for cell in cells) for cells in zip(*listed, strict=True)
    ]
    if title:
        click.echo(title)
    for number, row in enumerate(plain):
        for line in zip_longest(*map(_broken, row, widths), fillvalue=""):
            text = (" " * GAP).join(map(_padded, line, widths, numeric or [False] * len(line))).rstrip()
            click.echo(click.style(text, bold=True) if number == 0 else text)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """What each column needs for its longest word, and of the room that is left what it can use, first come first."""
    needed = [max(_width(word) for text in column for word in text.split() or [""]) for column in columns]
    wanted = [max(map(_width, column)) for column in columns]
    left = room - sum(needed) - GAP * (len(needed) - 1)
    widths = []
    for need, want in zip(needed, wanted, strict=True):
        more = max(0, min(want - need, left))
        left -= more
        widths.append(need + more)
    return widths


def _width(text: str) -> int:
    """Columns of a terminal; East Asian characters take two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _broken(text: str, width: int) -> list[str]:
    if _width(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


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
