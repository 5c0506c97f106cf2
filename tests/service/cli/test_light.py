"""What is called often must start quickly: commands import only what they use."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from service.cli import COMMANDS, LazyCommand, register
from service.cli.model import model
from tests.service.cli.conftest import PROGRAM

HEAVY = (
    "tensorflow",
    "keras",
    "transformers",
    "numpy",
    "ai_edge_litert",
    "tokenizers",
    "flask_smorest",
    "httptools",
)
PROBE = """
import json, sys
from service.__main__ import main
try:
    main()
finally:
    print("MODULES", json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
ROUNDS = 5
PROMISE = 3
"""How many times what importing Flask takes a light command may take."""


@pytest.mark.parametrize(
    "command", [["--help"], ["keys", "list"], ["keys", "create", "--name", "a"], ["model", "--help"]]
)
def test_light_commands_import_nothing_heavy(command: list[str], tmp_path: Path, environ: dict[str, str]) -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROBE, *command],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    modules = json.loads(process.stderr.rpartition("MODULES ")[2])
    assert "flask" in modules
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.parametrize("command", [["--help"], ["keys", "list"]])
def test_they_take_a_small_multiple_of_importing_flask(
    command: list[str], tmp_path: Path, environ: dict[str, str]
) -> None:
    """Processor time, and of several turns the least: a busy machine changes neither much."""

    def run(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-c", *arguments], cwd=tmp_path, env=environ, check=True, capture_output=True, timeout=300
        )

    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(_seconds(lambda: run("import flask")))
        ours.append(_seconds(lambda: run(PROGRAM, *command)))
    assert min(ours) <= PROMISE * min(bare)


def _seconds(work: Callable[[], object]) -> float:
    """Processor time that the children of this process have taken meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def stand_ins() -> list[LazyCommand]:
    app = Flask("test")
    register(app)
    return [
        command for command in [*app.cli.commands.values(), *model.commands.values()] if type(command) is LazyCommand
    ]


def test_everything_is_loaded_late() -> None:
    assert {command.name for command in stand_ins()} >= {*COMMANDS, "build", "evaluate", "train", "verify"}


@pytest.mark.parametrize("stand_in", stand_ins(), ids=lambda command: str(command.name))
def test_what_stands_for_a_command_says_what_the_command_says(stand_in: LazyCommand) -> None:
    command = stand_in.load()
    assert command.name == stand_in.name or stand_in.name == "limiter"  # flask-limiter's, which calls it `cli`
    assert " ".join((command.help or "").split()).startswith((stand_in.help or "").rstrip("."))
