"""`limiter`: flask-limiter's own commands, over the limits and counters of the service."""

from collections.abc import Callable
from typing import Any

from limits import parse

from service.access.limiter import strategy_of
from tests.service.cli.conftest import CommandServices


def shown(program: Callable[..., Any], *args: str, **settings: str) -> str:
    process = program("limiter", *args, COLUMNS="200", **settings)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return str(out)


def test_config_names_strategy_and_storage(program: Callable[..., Any]) -> None:
    out = shown(program, "config")
    assert "LeasedWindows" in out
    assert "BackendStorage" in out
    assert "OK" in out


def test_what_is_counted_is_seen_and_cleared(program: Callable[..., Any], variables: dict[str, str]) -> None:
    limit = {"ABSTRACTS_LIMIT_KEY": "20 per year"}
    over = CommandServices(variables | limit)
    key, _ = over.keys.create("x", ["predict"])
    for _ in range(8):
        over.limits.spend_key(key, [])
    over.close()
    assert "20 per 1 year: Pass (12 out of 20 remaining)" in shown(program, "limits", "--key", key.id, **limit)
    shown(program, "clear", "--key", key.id, "-y", **limit)
    out = shown(program, "limits", "--key", key.id, **limit)
    assert "20 per 1 year: Pass (20 out of 20 remaining)" in out
    assert "12000 per 1 minute" in out


def test_flask_limiter_counts_as_the_gate_does(opened: CommandServices) -> None:
    """Its hook is off; whoever asks the same Limiter spends the same budget."""
    for _ in range(3):
        opened.limits.spend_request("192.0.2.1", [])
    item = parse("12000 per minute")
    assert strategy_of(opened.limiter).hit(item, "192.0.2.1", "ip", cost=12000 - 3) is True
    assert strategy_of(opened.limiter).hit(item, "192.0.2.1", "ip") is False
