"""Spectral and Redocly find nothing in the OpenAPI document, by the rules that they recommend."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.api.clients.node import run

SPECTRAL = "@stoplight/spectral-cli/dist/index.js"
REDOCLY = "@redocly/cli/bin/cli.js"


def spectral(description: Path, folder: Path) -> list[str]:
    (folder / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    arguments = ("--ruleset", "rules.yaml", "--format", "json", "--fail-severity", "hint", "--quiet")
    found = run(SPECTRAL, "lint", description, *arguments, folder=folder)
    assert found.stdout.startswith("["), found.stdout + found.stderr
    return [f"{one['code']} at {'.'.join(map(str, one['path']))}" for one in json.loads(found.stdout)]


def redocly(description: Path, folder: Path) -> list[str]:
    arguments = ("--extends", "recommended", "--format", "json")
    found = run(REDOCLY, "lint", description, *arguments, folder=folder)
    assert found.stdout.startswith("{"), found.stdout + found.stderr
    return [f"{one['ruleId']}: {one['message']}" for one in json.loads(found.stdout)["problems"]]


@pytest.mark.parametrize("lint", [spectral, redocly])
def test_nothing_is_found_in_the_document(
    lint: Callable[[Path, Path], list[str]], description: Path, tmp_path: Path
) -> None:
    assert lint(description, tmp_path) == []


def test_what_is_wrong_would_be_found(description: Path, tmp_path: Path) -> None:
    document = json.loads(description.read_text("utf-8"))
    del document["paths"]["/api/predict"]["post"]["operationId"]
    worse = tmp_path / "worse.json"
    worse.write_text(json.dumps(document))
    assert [line.partition(" ")[0] for line in spectral(worse, tmp_path)] == ["operation-operationId"]
    assert [line.partition(":")[0] for line in redocly(worse, tmp_path)] == ["operation-operationId"]
