"""`abstracts` is the commands of `flask --app wsgi` as a program of its own."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from flask import Flask

from service import __version__
from service.__main__ import main, make_program
from service.cli import register
from tests.sources import ROOT

Program = Callable[..., Any]


def test_the_script_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, function = project["scripts"]["abstracts"].partition(":")
    assert getattr(import_module(module), function) is main


def test_the_version_is_ours(program: Program) -> None:
    out, _ = program("--version").communicate(timeout=300)
    assert out == f"abstracts, version {__version__}\n"


def test_it_has_the_commands_that_flask_has() -> None:
    app = Flask("test")
    register(app)
    assert sorted(make_program().commands) == sorted(app.cli.commands)


def test_flask_does_the_same(program: Program, environ: dict[str, str]) -> None:
    made, _ = program("keys", "create", "--name", "x", "--json").communicate(timeout=300)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "keys", "list", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=True)
    assert [key["id"] for key in json.loads(done.stdout)] == [json.loads(made)["id"]]


def test_a_shell_completes_commands_of_groups(program: Program) -> None:
    words = {"_ABSTRACTS_COMPLETE": "bash_complete", "COMP_WORDS": "abstracts keys cr", "COMP_CWORD": "2"}
    out, err = program(**words).communicate(timeout=300)
    assert out == "plain,create\n", err
