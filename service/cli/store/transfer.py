"""`store export` and `store import`: API keys and predictions from one store to another, of whatever kind."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from service.cli.common import progress_bar, services
from storage.errors import Corrupt
from storage.records.transfer import Record, bring_in, export, from_line, to_line

if TYPE_CHECKING:
    from rich.progress import Progress

MAX_LINE: Final = 1 << 20
"""Bytes; far beyond any record, so that a file of another kind is not read whole."""


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False))
def export_store(file: str) -> None:
    """Write API keys (their hashes) and predictions to FILE, or standard output for -: one JSON object a line.

    Of a damaged store it writes what can still be read, says what is lost, and ends with status 1.
    """
    lost: list[str] = []
    with services() as opened, _writing(file) as out, progress_bar() as progress:
        task = progress.add_task("exporting", total=None)
        number = 0
        for record in export(opened.keys, opened.predictions, lost.append):
            out.write(to_line(record))
            number += 1
            progress.update(task, completed=number)
        progress.update(task, total=number)
    click.echo(f"Exported {number} record(s).", err=True)
    if lost:
        raise click.ClickException("\n  ".join(["not everything could be read. Lost:", *lost]))


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def import_store(file: str) -> None:
    """Bring in what `store export` wrote to FILE, or standard input for -.

    The whole file is checked before anything is written; a key that is here already stays as it is. May be repeated.
    """
    with services() as opened, _reading(file) as source, progress_bar() as progress:
        size = os.fstat(source.fileno()).st_size
        total = sum(1 for _ in _tracked(source, size, "checking", progress))
        source.seek(0)
        new = sum(
            bring_in(record, opened.keys, opened.predictions)
            for record in _tracked(source, size, "importing", progress)
        )
    there = total - new
    click.echo(f"Imported {new} record(s); {there} key(s) were here already.", err=True)


@contextmanager
def _writing(file: str) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears under its name only when it is whole; for its owner's eyes only."""
    if file == "-":
        yield sys.stdout.buffer
        return
    target = Path(file)
    with tempfile.NamedTemporaryFile(dir=target.absolute().parent, prefix=f".{target.name}.", delete=False) as out:
        try:
            yield out
        except BaseException:
            Path(out.name).unlink()
            raise
    Path(out.name).replace(target)


@contextmanager
def _reading(file: str) -> Iterator[IO[bytes]]:
    """The file, or a temporary copy of standard input: it is read twice."""
    if file != "-":
        with Path(file).open("rb") as source:
            yield source
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.seek(0)
        yield copy


def _tracked(source: IO[bytes], size: int, what: str, progress: "Progress") -> Iterator[Record]:
    """Each record, the bar moving with the bytes read; ClickException names the first line that is none."""
    task = progress.add_task(what, total=size)
    number = 0
    while line := source.readline(MAX_LINE):
        number += 1
        if line.strip():
            try:
                yield from_line(line)
            except Corrupt as exc:
                message = f"line {number} is not from `store export`: {exc}. Nothing was imported."
                raise click.ClickException(message) from exc
        progress.advance(task, len(line))
