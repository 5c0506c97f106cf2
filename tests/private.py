"""Finds what a module uses of a library's private parts."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Final

from tests.sources import Module

DOCUMENTED: Final = {
    "_asdict",
    "_deserialize",
    "_exit",
    "_fields",
    "_get_current_object",
    "_make",
    "_replace",
    "_serialize",
    "_typeshed",
}
"""Names that begin with an underscore and are public all the same, by their libraries' documentation."""

INTERNAL_MODULES: Final = ("multiprocessing.util",)
INTERNAL_METHODS: Final = {"ensure_sync", "url_map", "full_dispatch_request", "finalize_request", "make_response"}
"""Steps of Flask's own way through a request: who overrides one depends on all the others."""

SLOW_TO_IMPORT: Final = ("keras", "tensorflow")
"""Their classes are not looked into: it would take longer than all other tests here."""


def private_uses(module: Module) -> Iterator[str]:
    """Every use, as it is written: attributes, imports, names given to getattr, and what a subclass takes over."""
    for name in module.imported():
        if any(map(is_private, name.split("."))) or name.startswith(INTERNAL_MODULES):
            yield name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node.value) not in ("self", "cls"):
            yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "delattr", "hasattr"):
            if isinstance(node.args[1], ast.Constant) and is_private(str(node.args[1].value)):
                yield ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in _taken_over(module, node))


def is_private(name: str) -> bool:
    """Whether a name says that it is not for others."""
    return len(name) > 1 and name[0] == "_" != name[1] and name not in DOCUMENTED


def _taken_over(module: Module, node: ast.ClassDef) -> list[str]:
    """What a class uses or overrides that belongs to the library class from which it is derived."""
    bases = [base for name in node.bases if (base := _library_class(module, ast.unparse(name))) is not None]
    if not bases:
        return []
    of_self = [part for part in ast.walk(node) if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "self"]
    defined = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    assigned = [part for part in node.body if isinstance(part, ast.Assign | ast.AnnAssign)]
    defined |= {name.id for part in assigned for name in ast.walk(part) if isinstance(name, ast.Name)}
    used = {part.attr for part in of_self} | defined
    theirs = {name for name in used if is_private(name) and any(_has(base, name) for base in bases)}
    return sorted(theirs | (defined & INTERNAL_METHODS))


def _has(base: type, name: str) -> bool:
    """Whether a library's class has that member, or its instances have."""
    return hasattr(base, name) or any(f"self.{name}" in _source(parent) for parent in base.__mro__)


@cache
def _source(parent: type) -> str:
    try:
        return inspect.getsource(parent)
    except (OSError, TypeError):  # written in C
        return ""


def _library_class(module: Module, name: str) -> type | None:
    """The class of that name, as the module sees it, if it comes from a library."""
    head, _, rest = name.partition("[")[0].partition(".")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = node.module if isinstance(node, ast.ImportFrom) else None
            for alias in node.names:
                if (alias.asname or alias.name) == head:
                    return _load(f"{origin}.{alias.name}" if origin else alias.name, rest)
    return None


def _load(origin: str, rest: str) -> type | None:
    top = origin.partition(".")[0]
    if top in SLOW_TO_IMPORT or top in ("config", "model", "storage", "service", "tests", "bench"):
        return None
    parent, _, last = f"{origin}.{rest}".rstrip(".").rpartition(".")
    found = getattr(import_module(parent), last, None)
    return found if isinstance(found, type) else None
