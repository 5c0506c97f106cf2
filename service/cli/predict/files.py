"""The files that a command is given, and those in the folders that it is given."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import click

SUFFIXES: Final = frozenset(
    [
        ".pdf",
        ".jsonl",
        ".ndjson",
        ".json",
        ".csv",
        ".tsv",
        ".tab",
        ".txt",
        ".ris",
        ".nbib",
        ".ciw",
        ".enw",
        ".bib",
        ".xml",
        ".atom",
        ".rss",
        ".gz",
        ".xz",
        ".bz2",
        ".zip",
    ]
)
"""How names of files in a folder end that are read; a file that is named itself may be called anything."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or standard input for `-`; size: in bytes, 0 if not known."""

    path: str
    size: int


def find_sources(arguments: Sequence[str], output: Path | None) -> list[Source]:
    """The files in order, those of folders by name; hidden ones, others and `output` are passed over and named.

    A usage error if there are none, or if `output` is one that was named.
    """
    found: list[Source] = []
    other: list[str] = []
    for argument in arguments:
        if argument == "-":
            found.append(Source("-", 0))
        elif Path(argument).is_dir():
            for path in _within(Path(argument)):
                if _is_output(path, output):
                    continue
                (found.append(_source(path)) if path.suffix.lower() in SUFFIXES else other.append(path.name))
        elif _is_output(Path(argument), output):
            raise click.UsageError(f"{argument} is what --output names; give another file")
        else:
            found.append(_source(Path(argument)))
    if other:
        listed = ", ".join(other[:5]) + (", ..." if len(other) > 5 else "")
        click.echo(f"passed over {len(other)} other file(s): {listed}", err=True)
    if not found:
        raise click.UsageError("there are no files with abstracts in there")
    return found


@contextmanager
def opened_source(source: Source) -> Iterator[BinaryIO]:
    """Its bytes; standard input stays open."""
    if source.path == "-":
        yield sys.stdin.buffer
        return
    with Path(source.path).open("rb") as file:
        yield file


def _within(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _is_output(path: Path, output: Path | None) -> bool:
    return output is not None and output.exists() and path.exists() and path.samefile(output)


def _source(path: Path) -> Source:
    return Source(str(path), path.stat().st_size if path.is_file() else 0)
