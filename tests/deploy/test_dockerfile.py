"""What the Dockerfile promises, read; tests/deploy/image.py builds and runs it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.front.serving import echo, served
from tests.sources import ROOT


@pytest.fixture
def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name, in order; the one without a name is the default."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "deploy" / "Dockerfile").read_text("utf-8"))
    found: dict[str, list[tuple[str, str]]] = {"before": []}
    current = "before"
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            current = rest.partition(" AS ")[2]
            found[current] = []
        if word and word != "#":
            found[current].append((word, rest))
    return found


def test_only_the_server_is_asked_for_its_health(stages: dict[str, list[tuple[str, str]]]) -> None:
    assert [name for name, lines in stages.items() if "HEALTHCHECK" in dict(lines)] == [""]
    assert dict(stages[""])["HEALTHCHECK"].endswith('CMD ["python", "-m", "service.alive"]')
    assert dict(stages["worker"])["FROM"].startswith("base ")
    assert dict(stages[""])["FROM"] == "base"


def test_the_user_is_a_number(stages: dict[str, list[tuple[str, str]]]) -> None:
    assert re.fullmatch(r"[1-9]\d*:\d+", dict(stages["base"])["USER"])


def test_what_is_copied_is_there_and_not_ignored(stages: dict[str, list[tuple[str, str]]]) -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for word, rest in stages["base"]:
        if word == "COPY" and not rest.startswith("--from"):
            for source in shlex.split(rest)[:-1]:
                assert Path(ROOT, source).exists()
                assert source in kept
    assert {"requirements/serve.txt", "requirements/worker.txt"} <= kept


def alive(port: int, **variables: str) -> int:
    """The exit status of the image's check."""
    environ = os.environ | {"ABSTRACTS_HOST": "0.0.0.0", "ABSTRACTS_PORT": str(port), **variables}
    return subprocess.run([sys.executable, "-m", "service.alive"], cwd=ROOT, env=environ, timeout=60).returncode


def test_the_check_reads_the_port_and_heeds_no_proxy() -> None:
    with served(echo) as server:
        assert alive(server.port, http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9") == 0
        port = server.port
    assert alive(port) == 1
