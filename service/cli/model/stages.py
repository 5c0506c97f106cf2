"""Where long work is: bars on a terminal, otherwise a line a minute; both on standard error."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import click

from service.cli.common import progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY: Final = 60.0
"""Seconds between two lines."""


class Stages:
    """Shows each stage from its first step on."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._began: dict[str, tuple[float, int]] = {}
        self._tasks: dict[str, Any] = {}
        self._bar: Progress | None = None
        self._next_line = 0.0

    def __enter__(self) -> "Stages":
        if sys.stderr.isatty():
            from rich.progress import TextColumn

            self._bar = progress_bar(TextColumn("{task.fields[note]}"))
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, stage: str, done: int, total: int, note: str = "", unit: int = 1) -> None:
        """`done` of `total` steps, of `unit` rows each, are made."""
        now = time.monotonic()
        if stage not in self._began:
            self._began[stage] = now, done
            self._next_line = now
        began, first = self._began[stage]
        rate = (done - first) / (now - began) if now > began else 0.0
        note = f"{note} {rate * unit:.1f} rows/s".strip()
        if self._bar is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bar.add_task(stage, total=total, note=note)
            self._bar.update(self._tasks[stage], completed=done, note=note)
        elif now >= self._next_line or done == total:
            self._next_line = now + self._every
            left = f", {(total - done) / rate / 60:.0f} min left" if rate else ""
            click.echo(f"{stage}: {done} of {total}, {note}{left}", err=True)
