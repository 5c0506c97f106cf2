"""The outline of the design holds. Each test looks at every file and names all that break its rule.

EXEMPT holds what is known to break one and is on its way out. An exemption that nothing needs any more fails.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final

import pytest

from tests.private import private_uses
from tests.sources import PRODUCT, Module, modules

LAYERS: Final = {
    "model": (
        {"errors", "arrays"},
        {"labels", "text", "tokens"},
        {"artifact", "budget"},
        {"engines"},
        {"classifier", "registry"},
        {"checkpoints"},
        {"training"},
    ),
    "storage": (
        {"errors"},
        {"base", "forks"},
        {"breaker"},
        {"deadline"},
        {"backends", "records"},
        {"connect"},
        {"ratelimit"},
    ),
    "service": (
        {"alive", "cores", "errors", "listings"},
        {"kinds"},
        {"telemetry"},
        {"access"},
        {"pdf"},
        {"problems"},
        {"input"},
        {"predicting"},
        {"jobs"},
        {"api"},
        {"web", "front"},
        {"bootstrap"},
        {"cli"},
        {"app", "worker"},
        {"__main__"},
    ),
}
"""The parts of each package from the ground up: one may import those below it, and not those beside it."""

MAY_IMPORT: Final = {
    "config": {"config"},
    "model": {"model"},
    "storage": {"storage"},
    "service": set(PRODUCT),
    "wsgi": {"config", "service"},
    "bench": {*PRODUCT, "wsgi", "bench"},
}
FLASK: Final = {"flask", "werkzeug", "flask_smorest", "flask_limiter", "flask_swagger_ui"}
ERROR_STATUSES: Final = {400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 429, 500, 502, 503, 504}
OURS: Final = {*MAY_IMPORT, "tests"}
MODULES: Final = {module.name: module for module in modules(*MAY_IMPORT, "tests")}

EXEMPT: Final[set[str]] = set()


def verdict(offences: Iterable[str], rule: str) -> None:
    """Fails with all offences that are not exempt, and with the exemptions of that rule that nothing needs."""
    exempt = {entry.removeprefix(f"{rule}: ") for entry in EXEMPT if entry.startswith(f"{rule}: ")}
    found = set(offences)
    if found - exempt:
        pytest.fail("\n".join(sorted(found - exempt)))
    if exempt - found:
        pytest.fail("\n".join(["these are put right, so remove them from EXEMPT:", *sorted(exempt - found)]))


def wrong_arrows(module: Module) -> Iterator[str]:
    """What a module imports and may not."""
    package = module.name.partition(".")[0]
    for name in module.imported():
        top = name.partition(".")[0]
        if top in FLASK and package not in ("service", "bench"):
            yield f"{module.name} -> {name}"
        if top in OURS and (top not in MAY_IMPORT[package] or (top == package and _points_up(module.name, name))):
            yield f"{module.name} -> {_module(name)}"


def _module(name: str) -> str:
    """The module of a name that was imported out of one."""
    return name if name in MODULES else name.rpartition(".")[0]


def _points_up(source: str, target: str) -> bool:
    package, _, rest = source.partition(".")
    ours, theirs = rest.partition(".")[0], _module(target).partition(".")[2].partition(".")[0]
    if package not in LAYERS or not ours or not theirs or ours == theirs:
        return False
    return _height(LAYERS[package], theirs) >= _height(LAYERS[package], ours)


def _height(layers: tuple[set[str], ...], part: str) -> int:
    found = [height for height, layer in enumerate(layers) if part in layer]
    assert found, f"{part} has no place in LAYERS"
    return found[0]


def test_all_arrows_point_one_way() -> None:
    verdict((arrow for module in modules(*MAY_IMPORT) for arrow in wrong_arrows(module)), "arrow")


@pytest.mark.parametrize(
    ("name", "line", "arrow"),
    [
        ("storage.wrong", "from service.app import create_app", "storage.wrong -> service.app"),
        ("model.tokens", "import flask", "model.tokens -> flask"),
        ("model.text", "def f():\n    from model import registry", "model.text -> model.registry"),
        ("service.jobs.x", "import_module('service.api.schemas')", "service.jobs.x -> service.api.schemas"),
        ("service.web.x", "import service.cli.keys", "service.web.x -> service.cli.keys"),
        ("bench.x", "from tests.sources import ROOT", "bench.x -> tests.sources"),
    ],
)
def test_a_wrong_arrow_is_seen(name: str, line: str, arrow: str) -> None:
    assert list(wrong_arrows(Module(name, line))) == [arrow]


def test_nothing_happens_at_import_time() -> None:
    """No statement of a module's own runs anything; constants, definitions and imports remain.

    Modules of commands put their groups together, and are imported only when a command is called.
    """
    verdict(
        (
            f"{module.name}:{node.lineno}"
            for module in modules(*PRODUCT)
            if not module.name.startswith("service.cli")
            for node in module.tree.body
            if isinstance(node, ast.For | ast.While | ast.With | ast.Try)
            or (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant))
        ),
        "import time",
    )


def _too_large(module: Module) -> Iterator[str]:
    if len(module.text.splitlines()) > 400:
        yield f"{module.name} has more than 400 lines"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 50:
            yield f"{module.name}.{node.name} has more than 50 lines"


def test_folders_modules_and_functions_are_small() -> None:
    found = modules(*PRODUCT)
    folders = Counter(module.name.rpartition(".")[0] for module in found if not module.is_package)
    crowded = [f"{folder} has more than a dozen modules" for folder, number in folders.items() if number > 12]
    verdict([*crowded, *(line for module in found for line in _too_large(module))], "size")


def test_error_statuses_are_in_one_place() -> None:
    verdict(
        (
            f"{module.name} {ast.unparse(node)}"
            for module in modules("service")
            if module.name != "service.kinds"
            for node in ast.walk(module.tree)
            if _is_error_status(node)
        ),
        "status",
    )


def _is_error_status(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "HTTPStatus":
        return int(HTTPStatus[node.attr]) in ERROR_STATUSES
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value in ERROR_STATUSES


def _errors(found: tuple[Module, ...]) -> Iterator[tuple[str, str]]:
    """(module, class) of every exception: what derives from one, through classes of ours, too."""
    known = {"Exception", "BaseException"}
    classes = [(module.name, node) for module in found for node in module.tree.body if isinstance(node, ast.ClassDef)]
    while True:
        derived = {
            node.name
            for _, node in classes
            for base in node.bases
            if (name := ast.unparse(base).rpartition(".")[2]) in known or name.endswith("Error")
        }
        if derived <= known:
            break
        known |= derived
    yield from ((module, node.name) for module, node in classes if node.name in known)


def test_every_error_is_drawn_in_an_errors_module() -> None:
    errors = list(_errors(modules(*PRODUCT)))
    assert len(errors) > 20
    verdict((f"{module}.{name}" for module, name in errors if not module.endswith(".errors")), "error")


def test_nothing_private_of_a_library_is_used() -> None:
    found = modules(*MAY_IMPORT)
    verdict((f"{module.name} {use}" for module in found for use in private_uses(module)), "private")


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("import numpy\nnumpy._core", "numpy._core"),
        ("from flask._x import y", "flask._x.y"),
        ("from multiprocessing.util import Finalize", "multiprocessing.util.Finalize"),
        ("def f(view):\n    return getattr(view, '_apidoc')", "getattr(view, '_apidoc')"),
        ("def f(app):\n    app._got_first_request = True", "app._got_first_request"),
        ("import logging\nclass A(logging.Logger):\n    def _log(self): ...", "A._log"),
        ("from werkzeug.datastructures import Headers\nclass A(Headers):\n    def f(self): self._list", "A._list"),
        ("from flask import Flask\nclass A(Flask):\n    def ensure_sync(self, f): ...", "A.ensure_sync"),
    ],
)
def test_a_private_part_is_seen(text: str, use: str) -> None:
    assert list(private_uses(Module("service.x", text))) == [use]


def test_what_is_documented_or_ones_own_is_not_private() -> None:
    text = (
        "import logging, os\n"
        "class A(logging.Logger):\n"
        "    def __init__(self): self._mine = 1\n"
        "    def _own(self): return self._mine\n"
        "def f(answer): return answer._replace(x=1)\n"
        "def g(): os._exit(1)\n"
    )
    assert list(private_uses(Module("service.x", text))) == []
