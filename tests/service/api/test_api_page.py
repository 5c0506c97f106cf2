"""docs/api.md: every example on the page is run against a live server, in order, and prints what it should."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.papers.document import Put, make_pdf
from config import load_settings
from service.app import Application
from service.bootstrap import Services
from tests.service.api.clients.node import MODULES
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.pdf.papers import SENTENCES, column, head

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
BLOCK = re.compile(
    r"<!-- prints: (?P<prints>.*?) -->\n(?:<!-- exit status: (?P<status>\d+) -->\n)?"
    r"```(?P<language>\w+)\n(?P<code>.*?)```\n",
    re.DOTALL,
)
TEXT = f"{ABSTRACT} The page does not ask about this."
RUN_ALL = """
for block in block_*; do
  { . ./$block; } > out_$block 2>&1 < /dev/null
  echo $? > status_$block
done
"""


def write_paper(path: Path) -> None:
    lines = [*head(), Put("Abstract", 280, 170, 11, bold=True), *column(SENTENCES, 100, 190)]
    path.write_bytes(make_pdf([*lines, Put("1 Introduction", 72, 290, 12, bold=True), *column(SENTENCES, 72, 310)]))


def environment(folder: Path) -> dict[str, str]:
    """That of somebody with curl and HTTPie set up to fail on errors."""
    (folder / ".curlrc").write_text("silent\nshow-error\nfail-with-body\nmax-time = 60\n")
    options = ["--check-status", "--ignore-stdin", "--pretty=none", "--timeout=60"]
    (folder / "config.json").write_text(json.dumps({"default_options": options}))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"CURL_HOME": str(folder), "HTTPIE_CONFIG_DIR": str(folder), "HOME": str(folder), "PATH": path}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).running() as server:
        yield server


@pytest.fixture(scope="module")
def played(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all examples have been run."""
    folder = tmp_path_factory.mktemp("page")
    write_paper(folder / "paper.pdf")
    (folder / "node_modules").symlink_to(MODULES)
    for number, block in enumerate(BLOCK.finditer(PAGE.read_text("utf-8"))):
        code = block["code"].replace("http://127.0.0.1:8000", address(server)).replace("abs_…", server.key)
        if block["language"] == "python":
            (folder / f"client_{number}.py").write_text(code)
            code = f"{sys.executable} -W error client_{number}.py\n"
        (folder / f"block_{number:03}").write_text(code)
    subprocess.run(["bash", "-c", RUN_ALL], cwd=folder, env=environment(folder), timeout=300, check=True)
    return folder


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def client_class() -> Any:
    """The first Python client on the page."""
    code = next(block["code"] for block in BLOCK.finditer(PAGE.read_text("utf-8")) if block["language"] == "python")
    defined: dict[str, Any] = {}
    exec(code.partition("\nclient = ")[0], defined)
    return defined["Abstracts"]


def test_the_client_sends_a_list_that_is_too_long_for_a_job(client_class: Any, server: Server) -> None:
    client = client_class(address(server), server.key)
    texts = [TEXT, *["too short"] * 9_999, TEXT, "too short"]
    results = list(client.predict_many(texts, top_k=1))
    assert ["predictions" in result for result in results] == [text == TEXT for text in texts]
    newest = client.ask("GET", "api/jobs", params={"limit": 2}).json()["jobs"]
    assert [job["total"] for job in newest] == [2, 10_000]
    client.session.close()


def test_the_client_waits_where_a_limit_is_used_up(client_class: Any, server: Server) -> None:
    with closing(Services(load_settings(server.variables))) as services:
        key = services.keys.create("slow", ["predict"], limit="2 per 2 second")[1]
    client = client_class(address(server), key)
    answers = [client.ask("POST", "api/predict/", json={"abstract": TEXT}) for _ in range(4)]
    assert 429 in [seen.status for answer in answers for seen in answer.raw.retries.history]
    with pytest.raises(RuntimeError, match="not valid"):
        client.predict("too short")
    client.session.close()


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
