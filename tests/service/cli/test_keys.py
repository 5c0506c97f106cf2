"""The commands that manage API keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import Revoked, Unknown
from storage.records.usage import Usage, new_process
from tests.service.cli.conftest import CommandServices, Run, failed, parsed


def test_create_prints_a_key_that_authenticates(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    key = opened.keys.authenticate(made["key"])
    assert (key.id, key.name, key.scopes) == (made["id"], "me", frozenset({"predict", "read"}))


def test_create_prints_the_key_alone_on_standard_output(run: Run, opened: CommandServices) -> None:
    result = run("keys", "create", "--name", "me")
    assert opened.keys.authenticate(result.stdout.strip()).name == "me"
    assert "not shown again" in result.stderr


def test_create_takes_scopes_expiry_and_limits(run: Run, opened: CommandServices) -> None:
    options = ("--scope", "predict", "--scope", "read", "--expires", "90d", "--limit", "5/minute")
    made = parsed(run("keys", "create", "--name", "me", *options, "--limit-inference", "1/hour", "--json"))
    key = opened.keys.get(made["id"])
    assert key is not None
    assert (key.scopes, key.limit, key.limit_inference) == (frozenset({"predict", "read"}), "5/minute", "1/hour")
    assert key.expires_at is not None
    assert abs(key.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)


def test_create_takes_a_date(run: Run) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--expires", "2999-01-31", "--json"))
    assert made["expires_at"] == "2999-01-31T00:00:00+00:00"


@pytest.mark.parametrize(
    "options",
    [
        ("--name", ""),
        ("--name", "a", "--scope", "write"),
        ("--name", "a", "--scope", "admin"),
        ("--name", "a", "--expires", "soon"),
        ("--name", "a", "--expires", "2001-01-01"),
        ("--name", "a", "--expires", "0d"),
        ("--name", "a", "--limit", "many"),
        ("--name", "a", "--limit-inference", "0/minute"),
        (),
    ],
)
def test_create_refuses_what_makes_no_sense(run: Run, opened: CommandServices, options: tuple[str, ...]) -> None:
    result = run("keys", "create", *options)
    assert result.exit_code == 2
    assert opened.keys.list() == []


def test_list_shows_every_state(run: Run) -> None:
    first = parsed(run("keys", "create", "--name", "first", "--json"))["id"]
    run("keys", "create", "--name", "second")
    run("keys", "revoke", first, "--yes")
    assert [(key["name"], key["state"]) for key in parsed(run("keys", "list", "--json"))] == [
        ("first", "revoked"),
        ("second", "valid"),
    ]
    table = run("keys", "list").stdout
    assert first in table
    assert "second" in table


def test_show_never_shows_secret_or_hash(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    key = opened.keys.get(made["id"])
    assert key is not None
    shown = run("keys", "show", key.id).stdout + run("keys", "show", key.id, "--json").stdout
    assert "me" in shown
    assert key.secret_hash not in shown
    assert made["key"] not in shown


def test_revoke_ends_a_key(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    assert parsed(run("keys", "revoke", "me", "--yes", "--json"))["state"] == "revoked"
    with pytest.raises(Revoked):
        opened.keys.authenticate(made["key"])


def test_rotate_replaces_the_secret(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    rotated = parsed(run("keys", "rotate", made["id"], "--json"))
    assert opened.keys.authenticate(rotated["key"]).id == made["id"]
    with pytest.raises(Unknown):
        opened.keys.authenticate(made["key"])


def test_the_old_secret_stays_good_for_the_grace(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    result = run("keys", "rotate", "me", "--grace", "24h", "--json")
    rotated = parsed(result)
    assert opened.keys.authenticate(rotated["key"]).expires_at is None
    ends = opened.keys.authenticate(made["key"]).expires_at
    assert ends is not None
    assert abs(ends - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=5)
    assert rotated["old_secret_ends_at"] == ends.isoformat()
    assert f"The old secret is good until {ends:%Y-%m-%d %H:%M} UTC." in result.stderr
    again = run("keys", "rotate", "me")
    assert "The old secret has ended." in again.stderr
    assert opened.keys.authenticate(again.stdout.strip()).id == made["id"]
    for old in (made["key"], rotated["key"]):
        with pytest.raises(Unknown):
            opened.keys.authenticate(old)


def test_update_changes_what_is_given_and_nothing_else(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--limit", "5/minute", "--expires", "90d", "--json"))
    before = opened.keys.get(made["id"])
    options = ("--name", "you", "--scope", "read", "--limit-inference", "1/hour")
    shown = parsed(run("keys", "update", "me", *options, "--json"))
    assert before is not None
    assert opened.keys.get(made["id"]) == replace(
        before, name="you", scopes=frozenset({"read"}), limit_inference="1/hour"
    )
    assert (shown["limit"], shown["expires_at"]) == (made["limit"], made["expires_at"])
    shown = parsed(run("keys", "update", "you", "--expires", "never", "--limit", "default", "--json"))
    assert (shown["limit"], shown["expires_at"], shown["limit_inference"]) == (None, None, "1/hour")
    assert opened.keys.authenticate(made["key"]).name == "you"


@pytest.mark.parametrize("options", [(), ("--name", ""), ("--scope", "admin"), ("--expires", "2001-01-01")])
def test_update_refuses_what_makes_no_sense(run: Run, opened: CommandServices, options: tuple[str, ...]) -> None:
    run("keys", "create", "--name", "me")
    before = opened.keys.list()
    assert run("keys", "update", "me", *options).exit_code == 2
    assert opened.keys.list() == before


def test_a_name_stands_for_the_one_key_that_has_it(run: Run) -> None:
    first, second = (parsed(run("keys", "create", "--name", "me", "--json"))["id"] for _ in range(2))
    several = run("keys", "show", "me")
    assert several.exit_code == 2
    assert f"give an id: {first}, {second}" in several.stderr
    run("keys", "revoke", first, "--yes")
    assert parsed(run("keys", "show", "me", "--json"))["id"] == second
    run("keys", "revoke", "me", "--yes")
    assert parsed(run("keys", "show", second, "--json"))["state"] == "revoked"
    assert run("keys", "show", "me").exit_code == 2  # none of them has not ended


def test_revoke_asks(run: Run) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    refused = run("keys", "revoke", "me", input="n\n")
    assert refused.exit_code == 1
    assert f"Revoke the key {made['id']} of me for good?" in refused.stderr
    assert run("keys", "revoke", "me", input="").exit_code == 1
    assert parsed(run("keys", "show", "me", "--json"))["state"] == "valid"
    run("keys", "revoke", "me", input="y\n")
    assert parsed(run("keys", "show", "me", "--json"))["state"] == "revoked"


def test_a_revoked_key_stays_as_it_is(run: Run) -> None:
    run("keys", "create", "--name", "me")
    run("keys", "revoke", "me", "--yes")
    assert "a revoked API key stays as it is" in failed(run("keys", "update", "me", "--name", "you"))
    assert "a revoked API key stays as it is" in failed(run("keys", "rotate", "me"))


@pytest.mark.parametrize("command", ["show", "revoke", "rotate", "update"])
def test_an_unknown_key_is_one_line(run: Run, command: str) -> None:
    options = ("--name", "x") if command == "update" else ()
    assert "no API key with the id or name 'nosuchkey123'" in failed(run("keys", command, "nosuchkey123", *options))


def test_usage_is_by_day_and_key_with_a_total(run: Run, opened: CommandServices) -> None:
    first, second, idle = (opened.keys.create(name, ["read"])[0] for name in ("first", "second", "idle"))
    today = datetime.now(UTC).date()
    for day, key, used in (
        (today, first, Usage(requests=3, hits=2, misses=1, model_seconds=0.1, pdfs=1)),
        (today, second, Usage(requests=1)),
        (today - timedelta(days=6), first, Usage(hits=40, model_seconds=0.2)),
        (today - timedelta(days=7), first, Usage(hits=500)),
    ):
        opened.usages.write(day, key.id, new_process(), used)
    found = parsed(run("keys", "usage", "--json"))
    assert [(one["day"], one["id"], one["name"], one["hits"]) for one in found["usage"]] == [
        ((today - timedelta(days=6)).isoformat(), first.id, "first", 40),
        (today.isoformat(), first.id, "first", 2),
        (today.isoformat(), second.id, "second", 0),
    ]
    assert found["total"] == {"requests": 4, "hits": 42, "misses": 1, "model_seconds": 0.3, "pdfs": 1}
    assert parsed(run("keys", "usage", "second", "--json"))["total"]["requests"] == 1
    assert parsed(run("keys", "usage", idle.id, "--json")) == {"usage": [], "total": Usage().to_object()}
    assert parsed(run("keys", "usage", "--since", "8d", "--json"))["total"]["hits"] == 542
    assert parsed(run("keys", "usage", "--since", "1h", "--json"))["total"]["hits"] == 2
    table = run("keys", "usage").stdout.splitlines()
    assert table[0].split() == ["DAY", "KEY", "NAME", "REQUESTS", "HITS", "MISSES", "MODEL", "SECONDS", "PDFS"]
    assert table[-1].split() == ["total", "-", "-", "4", "42", "1", "0.3000", "1"]
    assert len(table) == 5


def test_usage_refuses_what_it_does_not_know(run: Run) -> None:
    assert "no API key with the id or name 'nosuch'" in failed(run("keys", "usage", "nosuch"))
    assert run("keys", "usage", "--since", "soon").exit_code == 2
