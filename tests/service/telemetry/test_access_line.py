"""The access log's lines: whole, escaped, without secrets."""

import json
from typing import Any

import pytest

from service.telemetry.access_line import LONGEST_PATH, access_line
from storage.records.keyformat import format_key, new_id, new_secret

HOSTILE = ['9.9.9.9", "key": "x', "a\nb", "\\", '"', "\x00\x1b[31m", "\udcff", "\u2028", "漢字"]


def line(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "method": "GET",
        "route": "/api/models",
        "path": "/api/models",
        "status": 200,
        "seconds": 0.0012,
        "address": "192.0.2.1",
    }
    written = access_line(**(values | changes))
    assert "\n" not in written
    parsed: dict[str, Any] = json.loads(written)
    return parsed


def test_what_it_holds() -> None:
    found = line(key="0123", cache="hit")
    assert found.pop("time") > 0
    assert found == {
        "method": "GET",
        "route": "/api/models",
        "status": 200,
        "ms": 1.2,
        "ip": "192.0.2.1",
        "key": "0123",
        "cache": "hit",
    }


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("member", ["method", "address", "key", "cache", "route", "path"])
def test_nothing_forges_a_member(member: str, text: str) -> None:
    changes = {member: text} | ({"route": ""} if member == "path" else {})
    name = {"address": "ip"}.get(member, member)
    assert line(**changes)[name] == text


def test_a_key_in_a_path_is_not_shown() -> None:
    key = format_key(new_id(), new_secret())
    for path in (f"/api/{key}", f"/api//predict/{key}/x", f"/{'x' * 60}/{key}", f"/api/{key.upper()}"):
        shown = line(route="", path=path)["path"]
        assert key.lower()[4:12] not in shown.lower()
        assert len(shown) <= LONGEST_PATH


def test_what_is_long_is_cut() -> None:
    assert len(line(route="", path="/" * 10_000)["path"]) == LONGEST_PATH
    assert len(line(method="X" * 10_000)["method"]) == 20
