"""What is called often must start quickly: commands import only what they use."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from service.cli import COMMANDS, LazyCommand, register
from service.cli.model import model

HEAVY = ("tensorflow", "keras", "transformers", "numpy", "ai_edge_litert", "tokenizers", "flask_smorest", "granian")
PROBE = """
import json, sys
from flask.cli import main
sys.argv = ["flask", "--app", "wsgi", *sys.argv[1:]]
try:
    main()
finally:
    print("MODULES", json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
ROUNDS = 3


@pytest.mark.parametrize(
    "command", [["--help"], ["keys", "list"], ["keys", "create", "--name", "a"], ["model", "--help"]]
)
def test_light_commands_import_nothing_heavy(
    flask: Callable[..., Any], command: list[str], tmp_path: Any, variables: dict[str, str], pytestconfig: Any
) -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROBE, *command],
        cwd=tmp_path,
        env=variables | {"PYTHONPATH": str(pytestconfig.rootpath)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    modules = json.loads(process.stderr.rpartition("MODULES ")[2])
    assert "flask" in modules
    assert [name for name in HEAVY if name in modules] == []


@pytest.mark.parametrize("command", [["--help"], ["keys", "list"]])
def test_they_take_a_small_multiple_of_importing_flask(flask: Callable[..., Any], command: list[str]) -> None:
    """The promise is 3; twice that is allowed here, since a test machine may be busy with something else."""
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(_seconds(lambda: subprocess.run([sys.executable, "-c", "import flask"], check=True, timeout=300)))
        ours.append(_seconds(lambda: flask(*command).communicate(timeout=300)))
    assert statistics.median(ours) <= 6 * statistics.median(bare)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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
    assert command.name == stand_in.name
    assert " ".join((command.help or "").split()).startswith((stand_in.help or "").rstrip("."))
