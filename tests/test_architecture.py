"""The outline holds: who imports whom, nothing at import time, modules and functions small."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("config", "model", "storage", "service")
ALLOWED = {"service": set(PACKAGES), "config": {"config"}, "model": {"model"}, "storage": {"storage"}}
FLASK = {"flask", "werkzeug", "flask_smorest", "flask_limiter"}
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 50

MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
IDS = [str(path.relative_to(ROOT)) for path in MODULES]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it points"
            yield (node.module or "").partition(".")[0]


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_dependence_points_from_service_to_the_rest(path: Path) -> None:
    package = package_of(path)
    ours = set(imported(path)) & {*PACKAGES, "wsgi", "tests", "bench"}
    assert ours <= ALLOWED[package]


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) != "service"], ids=str)
def test_only_the_service_knows_flask(path: Path) -> None:
    assert set(imported(path)) & FLASK == set()


def test_the_check_would_see_a_wrong_arrow(tmp_path: Path) -> None:
    module = tmp_path / "wrong.py"
    module.write_text("def f() -> None:\n    from service.app import create_app\n    import flask\n")
    assert set(imported(module)) == {"service", "flask"}


CALLS_AT_IMPORT = (ast.For, ast.While, ast.With, ast.Try)


@pytest.mark.parametrize("path", [path for path in MODULES if "cli" not in path.parts], ids=str)
def test_nothing_happens_at_import_time(path: Path) -> None:
    """No statement of a module's own runs anything; constants, definitions and imports remain.

    Modules of commands put their groups together, and are imported only when a command is called.
    """
    for node in tree(path).body:
        assert not isinstance(node, CALLS_AT_IMPORT), f"{path}:{node.lineno}"
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_modules_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_LINES_OF_A_FUNCTION, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) == "service"], ids=str)
def test_http_statuses_are_in_one_place(path: Path) -> None:
    if path.name == "problems.py":
        return
    statuses = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503, 504}
    literals = {
        node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant) and type(node.value) is int
    }
    assert literals & statuses == set()


def test_every_package_draws_its_errors() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "errors.py").is_file()] == []


def test_the_interpreter_is_supported() -> None:
    assert sys.version_info >= (3, 11)
