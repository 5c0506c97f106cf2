"""JSON lines: an object, or a text in quotes, a line."""

import json
from collections.abc import Iterator
from typing import Final

from service.input.forms.fields import ABSTRACT, as_item, find
from service.input.item import MAX_RECORD, Columns, Item
from service.input.opened import Opened

FORM: Final = "JSON lines"
_SUFFIXES: Final = (".jsonl", ".ndjson", ".jsonlines")


def matches(opened: Opened, columns: Columns) -> bool:
    """Its first line is an object with an abstract, or a text; or there are more such lines, or its name says so."""
    lines = [line.lstrip() for line in opened.beginning.split("\n", 200) if line.strip()]
    if not lines:
        return False
    if opened.suffix in _SUFFIXES and any(line[0] in '{"' for line in lines):
        return True
    try:
        first = json.loads(lines[0])
    except (ValueError, RecursionError):
        return False
    if isinstance(first, str):
        return not find([first], columns.text, ABSTRACT)  # else the header of a table
    several = len(lines) > 1 and lines[1][0] in '{"'
    return isinstance(first, dict) and (several or bool(find(first, columns.text, ABSTRACT)))


def read(opened: Opened, columns: Columns) -> Iterator[Item]:
    """An item a line that is not blank; a bad line is one with its problem."""
    with opened.text() as text:
        number = 0
        while line := text.readline(MAX_RECORD + 1):
            number += 1
            if line.strip():
                yield _item(line, number, columns)
            while len(line) > MAX_RECORD and not line.endswith("\n"):
                line = text.readline(MAX_RECORD + 1)


def _item(line: str, number: int, columns: Columns) -> Item:
    place = f"line {number}"
    problem = None
    if len(line) > MAX_RECORD:
        problem = f"The line has more than {MAX_RECORD} characters."
    else:
        try:
            return as_item(json.loads(line), place, columns, number)
        except json.JSONDecodeError as exc:
            problem = f"It is not JSON: {exc.msg} at column {exc.colno}. Fix it there."
        except RecursionError:
            problem = "The JSON is nested too deeply. Send a flat object."
        except ValueError:  # a number of thousands of digits
            problem = "The JSON holds a number that is too long. Send a shorter one."
    return Item(place, problem=problem, line=number)
