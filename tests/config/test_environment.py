"""The environment of a process: what Kubernetes adds, what Docker leaves in values, and secrets in files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config import SettingsError, load_settings
from tests.sources import ROOT

LINKS = {
    "ABSTRACTS_SERVICE_HOST": "10.0.0.1",
    "ABSTRACTS_SERVICE_PORT": "8000",
    "ABSTRACTS_SERVICE_PORT_HTTP": "8000",
    "ABSTRACTS_PORT": "tcp://10.0.0.1:8000",
    "ABSTRACTS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "ABSTRACTS_PORT_8000_TCP_PROTO": "tcp",
    "ABSTRACTS_PORT_8000_TCP_PORT": "8000",
    "ABSTRACTS_PORT_8000_TCP_ADDR": "10.0.0.1",
    "ABSTRACTS_REDIS_SERVICE_HOST": "10.0.0.2",
    "ABSTRACTS_REDIS_SERVICE_PORT": "6379",
    "ABSTRACTS_REDIS_PORT": "tcp://10.0.0.2:6379",
    "ABSTRACTS_REDIS_PORT_6379_TCP_ADDR": "10.0.0.2",
    "ABSTRACTS_DNS_PORT_53_UDP": "udp://10.0.0.3:53",
}


def faults(**variables: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(variables)
    return caught.value.faults


def test_links_to_services_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == load_settings({})


def test_they_do_not_hide_the_setting_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("ABSTRACTS_PORT=8001\n")
    monkeypatch.setenv("ABSTRACTS_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.setenv("ABSTRACTS_PORT", "tcp://10.0.0.1:8000")
    assert load_settings().port == 8001


@pytest.mark.parametrize(
    "name", ["ABSTRACTS_LISTEN_PORT", "ABSTRACTS_SERVICE", "ABSTRACTS_PORT_8000", "abstracts_port"]
)
def test_what_only_looks_like_one_is_unknown(name: str) -> None:
    (fault,) = faults(**{name: "8000"})
    assert fault.startswith(f"unknown setting {name}; ")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'hunter2'", "is in quotes"),
        ('"hunter2"', "is in quotes"),
        ("hunter2 ", "begins or ends with a blank"),
        ("\thunter2", "begins or ends with a blank"),
        ("hunter2\r", "carriage return"),
        ("hun\x1bter2", "control character"),
        ("h\udcfcnter2", "is not UTF-8"),
    ],
)
def test_a_value_that_came_otherwise_than_it_was_written_is_named(value: str, said: str) -> None:
    (fault,) = faults(ABSTRACTS_STORE_PASSWORD=value)
    assert "ABSTRACTS_STORE_PASSWORD" in fault
    assert said in fault
    assert "ter2" not in fault


def test_a_secret_may_come_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" 'hünter2' \n", "utf-8")
    (tmp_path / "user").write_text("me")
    (tmp_path / "broker").write_text("redis://:x@host/0\r\n")
    settings = load_settings(
        {
            "ABSTRACTS_STORE_PASSWORD_FILE": str(tmp_path / "password"),
            "ABSTRACTS_STORE_USERNAME_FILE": str(tmp_path / "user"),
            "ABSTRACTS_JOBS_BROKER_URL_FILE": str(tmp_path / "broker"),
        }
    )
    assert (settings.store_username, settings.store_password) == ("me", " 'hünter2' ")
    assert settings.jobs_broker_url == "redis://:x@host/0"


def test_a_file_that_cannot_be_had_or_is_too_much_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xfc")
    (no_file,) = faults(ABSTRACTS_STORE_PASSWORD_FILE=f"{tmp_path}/none")
    assert no_file == f"ABSTRACTS_STORE_PASSWORD_FILE='{tmp_path}/none' cannot be read: No such file or directory."
    assert "not UTF-8" in faults(ABSTRACTS_STORE_PASSWORD_FILE=f"{tmp_path}/latin")[0]
    (twice,) = faults(ABSTRACTS_STORE_PASSWORD="hunter2", ABSTRACTS_STORE_PASSWORD_FILE=f"{tmp_path}/latin")
    assert twice == "both ABSTRACTS_STORE_PASSWORD and ABSTRACTS_STORE_PASSWORD_FILE are set: remove one."


def test_the_file_is_found_from_the_checkout_and_no_other(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "outer" / "inner"
    elsewhere.mkdir(parents=True)
    shutil.copytree(ROOT / "config", checkout / "config")
    (checkout / ".env").write_text("ABSTRACTS_PORT=8001\nABSTRACTS_DATA_DIR=data\n")
    (elsewhere.parent / ".env").write_text("ABSTRACTS_PORT=8002\n")
    environ = {name: value for name, value in os.environ.items() if name != "ABSTRACTS_ENV_FILE"}

    def found() -> str:
        code = "from config import *; s = load_settings(); print(s.port, s.data_dir)"
        command = [sys.executable, "-c", code]
        environ["PYTHONPATH"] = str(checkout)
        return subprocess.run(command, cwd=elsewhere, env=environ, capture_output=True, text=True, check=True).stdout

    assert found() == f"8000 {elsewhere}/var\n"  # installed, but not from a checkout
    (checkout / "pyproject.toml").touch()
    assert found() == f"8001 {checkout}/data\n"


def test_only_secrets_and_the_user_may() -> None:
    assert faults(ABSTRACTS_PORT_FILE="/x")[0].startswith("unknown setting ABSTRACTS_PORT_FILE; ")
