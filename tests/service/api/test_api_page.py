"""docs/api.md: every example on the page is run against a live server, in order, and prints what it should."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.app import Application
from tests.service.front.test_server import Server
from tests.service.pdf.papers import SENTENCES, Put, column, head, make_pdf

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
BLOCK = re.compile(
    r"<!-- prints: (?P<prints>.*?) -->\n(?:<!-- exit status: (?P<status>\d+) -->\n)?"
    r"```(?P<language>\w+)\n(?P<code>.*?)```\n",
    re.DOTALL,
)
RUN_ALL = """
for block in block_*; do
  { . ./$block; } > out_$block 2>&1 < /dev/null
  echo $? > status_$block
done
"""


def write_paper(path: Path) -> None:
    lines = [*head(), Put("Abstract", 280, 170, 11, bold=True), *column(SENTENCES, 100, 190)]
    path.write_bytes(make_pdf([*lines, Put("1 Introduction", 72, 290, 12, bold=True), *column(SENTENCES, 72, 310)]))


def environment(folder: Path, server: Server) -> dict[str, str]:
    """That of somebody with curl and HTTPie set up to fail on errors."""
    (folder / ".curlrc").write_text("silent\nshow-error\nfail-with-body\nmax-time = 60\n")
    options = ["--check-status", "--ignore-stdin", "--pretty=none", "--timeout=60"]
    (folder / "config.json").write_text(json.dumps({"default_options": options}))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"CURL_HOME": str(folder), "HTTPIE_CONFIG_DIR": str(folder), "HOME": str(folder), "PATH": path}
    return own | {"URL": f"http://127.0.0.1:{server.port}", "KEY": server.key}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all examples have been run."""
    folder = tmp_path_factory.mktemp("page")
    server = Server(folder / "var")
    write_paper(folder / "paper.pdf")
    for number, block in enumerate(BLOCK.finditer(PAGE.read_text("utf-8"))):
        code = block["code"]
        if block["language"] == "python":
            (folder / "client.py").write_text(code)
            code = f"{sys.executable} client.py\n"
        (folder / f"block_{number:03}").write_text(code)
    with server.running():
        subprocess.run(
            ["bash", "-c", RUN_ALL],
            cwd=folder,
            env=environment(folder, server),
            timeout=300,
            check=True,
        )
    return folder


def test_every_example_prints_what_it_should(played: Path) -> None:
    blocks = list(BLOCK.finditer(PAGE.read_text("utf-8")))
    assert len(blocks) > 30
    for number, block in enumerate(blocks):
        printed = (played / f"out_block_{number:03}").read_text("utf-8")
        status = (played / f"status_block_{number:03}").read_text().strip()
        told = f"{block['code']}\n{printed[:2000]}"
        assert status == (block["status"] or "0"), told
        assert "".join(block["prints"].split()).lower() in "".join(printed.split()).lower(), told


def test_every_fenced_block_is_run() -> None:
    text = PAGE.read_text("utf-8")
    assert len(re.findall(r"^```\w+$", text, re.MULTILINE)) == len(list(BLOCK.finditer(text)))


def test_every_route_has_an_example_in_curl_or_httpie(app: Application) -> None:
    code = "".join(block["code"] for block in BLOCK.finditer(PAGE.read_text("utf-8")))
    asked = {re.sub(r"\?.*", "", path) for path in re.findall(r"\$URL(/[^\s\"]*)", code)}
    rules = {rule.rule for rule in app.url_map.iter_rules()} - {"/web/<name>", "/docs/<name>"}
    patterns = {rule: re.compile(re.sub(r"<\w+>", "[^/]+", rule.rstrip("/")) + "/?") for rule in rules}
    assert [rule for rule, pattern in patterns.items() if not any(pattern.fullmatch(path) for path in asked)] == []
