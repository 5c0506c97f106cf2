"""The commands that manage API keys."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import Revoked, Unknown
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
    options = ("--scope", "admin", "--scope", "read", "--expires", "90d", "--limit", "5/minute")
    made = parsed(run("keys", "create", "--name", "me", *options, "--limit-inference", "1/hour", "--json"))
    key = opened.keys.get(made["id"])
    assert key is not None
    assert (key.scopes, key.limit, key.limit_inference) == (frozenset({"admin", "read"}), "5/minute", "1/hour")
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
    run("keys", "revoke", first)
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
    assert parsed(run("keys", "revoke", made["id"], "--json"))["state"] == "revoked"
    with pytest.raises(Revoked):
        opened.keys.authenticate(made["key"])


def test_rotate_replaces_the_secret(run: Run, opened: CommandServices) -> None:
    made = parsed(run("keys", "create", "--name", "me", "--json"))
    rotated = parsed(run("keys", "rotate", made["id"], "--json"))
    assert opened.keys.authenticate(rotated["key"]).id == made["id"]
    with pytest.raises(Unknown):
        opened.keys.authenticate(made["key"])


@pytest.mark.parametrize("command", ["show", "revoke", "rotate"])
def test_an_unknown_key_is_one_line(run: Run, command: str) -> None:
    assert "no API key" in failed(run("keys", command, "nosuchkey123"))
