"""Writes the reference pages from the code: python -m docs.write

docs/settings.md from the settings, docs/commands.md from the commands' own help, docs/metrics.md from the metrics,
docs/troubleshooting.md from the table of problems; docs/model-card.md is what `abstracts model card` prints. What a
page says besides stands in docs/parts, under the same name, with a line `<!-- reference -->` where the reference
belongs. A test holds the pages current.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
from flask import Flask

from config import PREFIX, Settings
from service.bootstrap import Services
from service.cli import LazyCommand, register
from service.cli.model.card import shipped_card
from service.kinds import KINDS
from service.telemetry.metrics import Described

FOLDER: Final = Path(__file__).parent
HERE: Final = "<!-- reference -->\n"
WIDTH: Final = 100
"""Characters of a line of help."""
_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def settings() -> str:
    """A row a setting."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for item in fields(Settings):
        default = _text(item.default)
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{PREFIX}{item.name.upper()}` | {shown} | {item.metadata['doc']} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    """A row a command, then the help of each."""
    found = dict(all_commands())
    rows = ["| command | what it does |", "|---|---|"]
    rows += [f"| [`{name}`](#{name.replace(' ', '-')}) | {_summary(command)} |" for name, command in found.items()]
    helps = [f"### {name}\n\n```text\n{_help(name, command)}\n```\n" for name, command in found.items()]
    return "\n".join(rows) + "\n\n" + "\n".join(helps)


def metrics() -> str:
    """A row a metric."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in sorted(all_metrics()):
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |")
    return "\n".join(rows) + "\n"


def all_metrics() -> Iterable[Described]:
    """Every metric that a server shows."""
    services = Services(Settings())
    services.metrics.watch_log(int)
    return services.metrics.described


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that can be called, by its whole name."""
    app = Flask("docs")
    register(app)
    yield from _commands(app.cli, "")


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        loaded = command.load() if isinstance(command, LazyCommand) else command
        if isinstance(loaded, click.Group):
            yield from _commands(loaded, f"{path}{name} ")
        else:
            yield f"{path}{name}", loaded


def problems() -> str:
    """A row a problem, by status."""
    rows = ["| `type` | status | title | cause | remedy |", "|---|---|---|---|---|"]
    for slug, kind in sorted(KINDS.items(), key=lambda pair: (pair[1].status, pair[0])):
        rows.append(f"| `/problems/{slug}` | {kind.status.value} | {kind.title} | {kind.cause} | {kind.remedy} |")
    return "\n".join(rows) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "commands.md": commands,
    "model-card.md": shipped_card,
    "metrics.md": metrics,
    "settings.md": settings,
    "troubleshooting.md": problems,
}
WHOLE: Final = ("model-card.md",)
"""Pages without a part that is written by hand."""


def page(name: str) -> str:
    """The page as it should be."""
    if name in WHOLE:
        return PAGES[name]()
    before, found, after = (FOLDER / "parts" / name).read_text("utf-8").partition(HERE)
    if not found:
        raise ValueError(f"docs/parts/{name} has no line {HERE.strip()}")
    note = f"<!-- Written by `make docs` from the code and docs/parts/{name}: change those. -->\n\n"
    return note + before + PAGES[name]() + after


def main() -> None:
    """Write all pages."""
    for name in PAGES:
        (FOLDER / name).write_text(page(name), "utf-8")


def _text(value: Any) -> str:
    """A default as it would stand in .env."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    if isinstance(value, timedelta):
        return _duration(value)
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    if seconds % 1:
        return f"{seconds * 1000:g}ms"
    unit, size = next((unit, size) for unit, size in _UNITS if not seconds % size and seconds >= size)
    return f"{seconds / size:g}{unit}"


def _summary(command: click.Command) -> str:
    return (
        (command.help or command.short_help or "")
        .strip()
        .split("\n\n")[0]
        .replace("\n", " ")
        .split(". ")[0]
        .rstrip(".")
    )


def _help(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"abstracts {name}", terminal_width=WIDTH, max_content_width=WIDTH)
    return command.get_help(context).rstrip()


if __name__ == "__main__":
    os.environ["COLUMNS"] = str(WIDTH)
    main()
