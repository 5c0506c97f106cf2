"""The docs say what is so: pages written from the code are current, links lead somewhere, the README's examples run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.write import FOLDER, PAGES, page
from tests.service.front.test_server import Server

ROOT = FOLDER.parent
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#([^)\s]+))?\)")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
BY_HAND = sorted(path for path in (*FOLDER.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_written_from_the_code_are_current(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == page(name), "run `make docs`, and commit what it writes"


def test_links_lead_somewhere() -> None:
    broken = []
    for path in BY_HAND:
        for target, anchor in LINK.findall(path.read_text("utf-8")):
            found = path.parent / target
            if not found.exists() or (anchor and anchor not in _anchors(found)):
                broken.append(f"{path.name}: {target}#{anchor}")
    assert broken == []


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_has_every_page() -> None:
    index = (FOLDER / "index.md").read_text("utf-8")
    assert [
        path.name for path in FOLDER.glob("*.md") if f"({path.name})" not in index and path.name != "index.md"
    ] == []


def test_the_first_example_is_answered_as_shown(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = [(language, code) for language, code in BLOCK.findall(readme)]
    curl, shown, python = (next(code for found, code in blocks if found == name) for name in ("sh", "json", "python"))
    server = Server(tmp_path / "var")
    with server.running():
        curl = curl.partition("\n")[2].replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server.port}")
        environ = os.environ | {"KEY": server.key}
        answer = subprocess.run(["bash", "-c", curl], env=environ, capture_output=True, text=True, timeout=60).stdout
        python = python.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        printed = subprocess.run(
            [sys.executable, "-c", python], env=environ, capture_output=True, text=True, timeout=60
        )
    promised, found = json.loads("{" + shown + "}"), json.loads(answer)
    assert found["cached"] is promised["cached"]
    assert [item["label"] for item in found["categories"]] == [item["label"] for item in promised["categories"]]
    for is_, said in zip(found["categories"], promised["categories"], strict=True):
        assert is_["score"] == pytest.approx(said["score"], abs=0.02)
    assert re.match(r"^[a-z-]+ 0\.\d+\n", printed.stdout), printed.stderr
