"""Programs that npm installs (tests/package.json), run without a network."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.service.front.test_server import ROOT

MODULES: Final = ROOT / "build" / "npm" / "node_modules"
SILENT: Final = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
"""Tells the programs not to report, to look for newer ones, or to write colours."""


def run(program: str, *arguments: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `program`, a file in node_modules, or a script of one's own, said and ended with."""
    if not MODULES.is_dir():
        pytest.fail("what the tests need of npm is not installed: make build/npm/.installed")
    command = ["node", str(MODULES / program), *map(str, arguments)]
    environment = {**os.environ, **SILENT, **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
