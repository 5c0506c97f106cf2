"""Commands run in process over a SQLite file, with a real artifact folder and a stand-in for the engine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import Result

from config import load_settings
from model.artifact import Artifact
from model.classifier import Classifier
from service.app import Application
from service.bootstrap import Services
from service.cli import register
from tests.processes import start as start_process
from tests.service.conftest import StandIn
from tests.sources import ROOT

Run = Callable[..., Result]


class CommandServices(Services):
    """Services whose engine is a stand-in; it answers as quickly as it is asked."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(load_settings(variables))
        self.engine = StandIn()

    def make_classifier(self, artifact: Artifact) -> Classifier:
        return cast(Classifier, self.engine)


@pytest.fixture
def variables(tmp_path: Path, model_dir: Path) -> dict[str, str]:
    """Settings of an installation of the test's own."""
    return {"ABSTRACTS_DATA_DIR": str(tmp_path / "var"), "ABSTRACTS_MODEL_DIR": str(model_dir)}


@pytest.fixture
def opened(variables: dict[str, str]) -> Iterator[CommandServices]:
    made = CommandServices(variables)
    yield made
    made.close()


@pytest.fixture
def run(opened: CommandServices) -> Run:
    """Runs a command; `over` is another installation to run it on."""

    def run(*args: object, over: Services | None = None, **more: Any) -> Result:
        app = Application(over or opened)
        register(app)
        return app.test_cli_runner().invoke(args=[str(arg) for arg in args], **more)

    return run


PROGRAM = "from service.__main__ import main; main()"
"""What the script `abstracts` does."""


@pytest.fixture
def environ(variables: dict[str, str]) -> dict[str, str]:
    """The environment of a process that runs the code of this checkout over the test's installation."""
    return os.environ | variables | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def program(tmp_path: Path, environ: dict[str, str]) -> Callable[..., Any]:
    """Starts the real command line in a process of its own, in another folder than the checkout; its `Popen`."""

    def start(*args: str, **settings: str) -> Any:
        return start_process(
            [sys.executable, "-c", PROGRAM, *args],
            cwd=tmp_path,
            env=environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def failed(result: Result) -> str:
    """The one line on standard error of a command that failed in operation."""
    assert result.exit_code == 1, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert "Traceback" not in result.output
    return last


def parsed(result: Result) -> Any:
    """What a command that went well printed as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
