"""What the README promises exists, and what exists is in the README."""

from dataclasses import fields
from pathlib import Path

import pytest

from config import PREFIX, Settings


@pytest.fixture
def readme(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "README.md").read_text("utf-8")


def test_every_setting_has_an_example(pytestconfig: pytest.Config) -> None:
    text = (pytestconfig.rootpath / ".env.example").read_text("utf-8")
    assert [item.name for item in fields(Settings) if f"{PREFIX}{item.name.upper()}" not in text] == []


def test_files_that_are_named_exist(readme: str, pytestconfig: pytest.Config) -> None:
    for name in ("LICENSE", "NOTICE", "CONTRIBUTING.md", "CHANGELOG.md", "docs/page.png"):
        assert name in readme
        assert Path(pytestconfig.rootpath, name).is_file()


def test_each_locked_file_agrees_with_the_developers(pytestconfig: pytest.Config) -> None:
    """`make setup` after `make test` must not exchange versions; no host is named, so any index will do."""
    folder = pytestconfig.rootpath / "requirements"
    pinned = {name: _pins(folder / f"{name}.txt") for name in ("serve", "worker", "train", "dev")}
    assert len(pinned["serve"]) > 20
    assert pinned["serve"].items() <= pinned["worker"].items() <= pinned["dev"].items()
    assert pinned["serve"].items() <= pinned["train"].items() <= pinned["dev"].items()
    assert ("couchbase" in pinned["serve"], "celery" in pinned["serve"]) == (True, False)
    for name in (*pinned, "build", "checkpoint"):
        text = (folder / f"{name}.txt").read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "index-url" not in text


def _pins(path: Path) -> dict[str, str]:
    lines = (line.split(";")[0].rstrip("\\ \n") for line in path.read_text("utf-8").splitlines())
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith((" ", "#")))
