"""The project's own source files, parsed, for tests that hold them to rules."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PRODUCT: Final = ("config", "model", "storage", "service")


@dataclass(frozen=True)
class Module:
    """A source file: its dotted name, its text and what it says."""

    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        """The module parsed."""
        return _parse(self.text, self.name)

    def imported(self) -> Iterator[str]:
        """The dotted names that it imports, wherever in it: modules, and what is taken out of packages."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: a relative import hides where it points"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call) and _called(node) == "import_module":
                yield from (str(word.value) for word in node.args if isinstance(word, ast.Constant))


@cache
def _parse(text: str, name: str) -> ast.Module:
    return ast.parse(text, name)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def read(path: Path) -> Module:
    """The module in a file below the root."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if is_package else parts), path.read_text("utf-8"), is_package)


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """All modules of these top-level packages, or those that are files themselves."""
    found = (ROOT / f"{package}.py" for package in packages)
    files = [path for path in found if path.is_file()]
    for package in packages:
        files += sorted((ROOT / package).rglob("*.py"))
    return tuple(read(path) for path in files)
