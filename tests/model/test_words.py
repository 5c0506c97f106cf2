"""The model's texts name no command, option or setting: what to do is for the service to say."""

import ast
import re

from tests.sources import modules

COMMANDS = re.compile(r"(^|\s)--[a-z]|abstracts model|\bflask\b|ABSTRACTS_[A-Z]")


def named(tree: ast.Module) -> list[str]:
    """Constants that name one, but for docstrings."""
    parts = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docs = {id(part.body[0].value) for part in parts if part.body and isinstance(part.body[0], ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
    return [node.value for node in constants if isinstance(node.value, str) and COMMANDS.search(node.value)]


def test_errors_of_the_model_name_no_command() -> None:
    assert {module.name: found for module in modules("model") if (found := named(module.tree))} == {}


def test_the_check_would_see_one() -> None:
    assert named(
        ast.parse("def f():\n    '''--from DIR'''\n    raise ValueError(f'{1}: hand it over with --from DIR')")
    )
