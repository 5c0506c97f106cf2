"""client.ts, by the types that openapi-typescript generates, against a live server: every operation."""

import base64
import json
import shutil
from pathlib import Path

import pytest

from tests.service.api.clients.node import MODULES, run
from tests.service.api.test_api_page import write_paper
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server


@pytest.fixture(scope="module")
def project(description: Path) -> Path:
    """The folder with client.ts and the types."""
    folder = description.parent
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("client.ts", "tsconfig.json"):
        shutil.copy(Path(__file__).with_name(name), folder)
    done = run("openapi-typescript/bin/cli.js", description, "--output", "schema.d.ts", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_its_types_compile_and_its_calls_succeed(project: Path, description: Path, server: Server) -> None:
    write_paper(project / "paper.pdf")
    compiled = run("typescript/bin/tsc", folder=project)
    assert compiled.returncode == 0, compiled.stdout
    arguments = (ABSTRACT, base64.b64encode((project / "paper.pdf").read_bytes()).decode())
    done = run(str(project / "client.js"), f"http://127.0.0.1:{server.port}", server.key, *arguments, folder=project)
    assert done.returncode == 0, done.stderr
    document = json.loads(description.read_text("utf-8"))
    described = [(path, method.upper()) for path, item in document["paths"].items() for method in item]
    expected = sorted(f"{method} {path}" for path, method in described if method != "PARAMETERS")
    assert json.loads(done.stdout) == expected
