"""The access log's lines: whole, escaped, without secrets."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.telemetry.access_line import LONGEST_PATH, access_line, iso_time
from service.telemetry.request_ids import RequestId
from storage.records.keyformat import format_key, new_id, new_secret

HOSTILE = ['9.9.9.9", "key": "x', "a\nb", "\\", '"', "\x00\x1b[31m", "\udcff", "\u2028", "漢字"]


def line(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "method": "GET",
        "route": "/api/models",
        "path": "/api/models",
        "status": 200,
        "size": 321,
        "seconds": 0.0012,
        "request": RequestId("7f"),
        "address": "192.0.2.1",
    }
    written = access_line(**(values | changes))
    assert "\n" not in written
    parsed: dict[str, Any] = json.loads(written)
    return parsed


def test_what_it_holds() -> None:
    found = line(key="0123", cache="hit", model="arxiv-mini", request=RequestId("7f", "4b"))
    assert datetime.fromisoformat(found.pop("time")) - datetime.now(UTC) < timedelta(minutes=5)
    assert found == {
        "request": "7f",
        "trace": "4b",
        "model": "arxiv-mini",
        "bytes": 321,
        "method": "GET",
        "route": "/api/models",
        "status": 200,
        "ms": 1.2,
        "ip": "192.0.2.1",
        "key": "0123",
        "cache": "hit",
    }


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("member", ["method", "address", "key", "model", "cache", "route", "path"])
def test_nothing_forges_a_member(member: str, text: str) -> None:
    changes = {member: text} | ({"route": ""} if member == "path" else {})
    name = {"address": "ip"}.get(member, member)
    assert line(**changes)[name] == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1.9999, "1970-01-01T00:00:01.999Z"), (1e9, "2001-09-09T01:46:40.000Z")],
)
def test_the_time_is_iso_8601(moment: float, text: str) -> None:
    assert iso_time(moment) == text


def test_a_size_that_is_not_known_is_left_out() -> None:
    assert "bytes" not in line(size=None)


def test_a_key_in_a_path_is_not_shown() -> None:
    key = format_key(new_id(), new_secret())
    for path in (f"/api/{key}", f"/api//predict/{key}/x", f"/{'x' * 60}/{key}", f"/api/{key.upper()}"):
        shown = line(route="", path=path)["path"]
        assert key.lower()[4:12] not in shown.lower()
        assert len(shown) <= LONGEST_PATH


def test_what_is_long_is_cut() -> None:
    assert len(line(route="", path="/" * 10_000)["path"]) == LONGEST_PATH
    assert len(line(method="X" * 10_000)["method"]) == 20
