"""How far a command is: a bar on a terminal, otherwise a line now and then; both on standard error."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from service.cli.common import progress_bar
from service.cli.predict.answering import Outcome
from service.cli.predict.files import Source

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

EVERY: Final = 10.0
"""Seconds between two lines."""


class Progress:
    """Counts outcomes in `seen`. quiet: answers are seen on the terminal, where a bar would be in their way."""

    def __init__(self, sources: Sequence[Source], *, quiet: bool, every: float = EVERY) -> None:
        self.seen: dict[Outcome, int] = {"hit": 0, "miss": 0, "problem": 0, "skipped": 0}
        self._every = every
        self._quiet = quiet
        self._total = sum(source.size for source in sources)
        self._before = 0
        self._source: Source | None = None
        self._file: BinaryIO | None = None
        self._bar: Bar | None = None
        self._next_line = time.monotonic() + every

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty() and not self._quiet:
            from rich.progress import TextColumn

            self._bar = progress_bar(TextColumn("{task.fields[note]}"))
            self._task = self._bar.add_task("predicting", total=self._total or None, note="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is None and not self._quiet:
            click.echo(self._counts(), err=True)

    def begin(self, source: Source, file: BinaryIO) -> None:
        """A file is read from now on."""
        if self._source is not None:
            self._before += self._source.size
        self._source, self._file = source, file

    def step(self, outcome: Outcome) -> None:
        """A record is done."""
        self.seen[outcome] += 1
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._position(), note=self._counts())
        elif now >= self._next_line and not self._quiet:
            self._next_line = now + self._every
            share = f"{100 * self._position() / self._total:.0f} %, " if self._total else ""
            click.echo(f"{share}{self._counts()}", err=True)

    def say(self, message: str) -> None:
        """A message, above the bar."""
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            click.echo(message, err=True)

    def _position(self) -> int:
        """Bytes read of all files."""
        file: Any = self._file
        return self._before + (min(file.tell(), self._source.size) if self._source and self._source.size else 0)

    def _counts(self) -> str:
        names: dict[Outcome, str] = {"hit": "stored", "miss": "computed", "problem": "bad", "skipped": "done before"}
        shown = [
            f"{self.seen[outcome]} {name}"
            for outcome, name in names.items()
            if outcome != "skipped" or self.seen["skipped"]
        ]
        return ", ".join(shown)
