"""`config`: what is set, and whether the service could run with it."""

from collections.abc import Callable
from typing import Any

from tests.service.cli.conftest import CommandServices, Run, parsed


def test_show_has_types_and_masks_secrets(run: Run, variables: dict[str, str]) -> None:
    over = CommandServices(variables | {"ABSTRACTS_STORE_PASSWORD": "hunter2"})
    shown = parsed(run("config", "show", "--json", over=over))
    assert (shown["ABSTRACTS_PORT"], shown["ABSTRACTS_STORE_ABSTRACTS"], shown["ABSTRACTS_STORE_CA"]) == (
        8000,
        False,
        None,
    )
    assert shown["ABSTRACTS_STORE_PASSWORD"] == "********"
    table = run("config", "show", over=over).stdout
    assert "ABSTRACTS_STORE_PASSWORD" in table
    assert "hunter2" not in table


def test_check_finds_nothing_wrong(run: Run) -> None:
    assert run("config", "check").exit_code == 0


def test_check_names_store_and_model_in_one_message(run: Run, variables: dict[str, str], tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    store = {"ABSTRACTS_STORE_URL": f"sqlite:///{tmp_path}/file/x.sqlite"}
    over = CommandServices(variables | store | {"ABSTRACTS_DEFAULT_MODEL": "scibert-multi"})
    result = run("config", "check", over=over)
    assert result.exit_code == 1
    assert f"ABSTRACTS_STORE_URL={over.settings.store_url}: the folder cannot be made there" in result.stderr
    assert "scibert-multi is not ready" in result.stderr


def test_check_knows_models_that_do_not_exist(run: Run, variables: dict[str, str]) -> None:
    over = CommandServices(variables | {"ABSTRACTS_DEFAULT_MODEL": "nosuch"})
    result = run("config", "check", over=over)
    assert result.exit_code == 1
    assert "ABSTRACTS_DEFAULT_MODEL='nosuch': there is no such model, only arxiv-fine, arxiv-mini" in result.stderr


def test_wrong_settings_end_every_command_with_all_faults(program: Callable[..., Any]) -> None:
    process = program("config", "check", ABSTRACTS_PORT="no", ABSTRACTS_LIMIT_KEY="many", ABSTRACTS_NOSUCH="1")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert all(name in err for name in ("ABSTRACTS_PORT", "ABSTRACTS_LIMIT_KEY", "ABSTRACTS_NOSUCH"))
    assert "Traceback" not in err
