"""Settings: defaults, parsing, secrets, every fault at once, and the documents that list them."""

import sys
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from pathlib import Path

import pytest

from config import PREFIX, Settings, SettingsError, load_settings
from config.envfile import read_env_file
from config.masking import masked
from tests.sources import ROOT

NAMES = [PREFIX + item.name.upper() for item in fields(Settings)]
COUCHBASE = {
    "ABSTRACTS_STORE_URL": "couchbase://a,b/bucket/scope",
    "ABSTRACTS_STORE_USERNAME": "service",
    "ABSTRACTS_STORE_PASSWORD": "hunter2",
}


def faults(**variables: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings({PREFIX + name: value for name, value in variables.items()})
    return caught.value.faults


def test_without_variables_everything_has_its_default() -> None:
    settings = load_settings({})
    assert settings.store_url == f"sqlite:///{ROOT}/var/abstracts.sqlite"
    assert settings.model_dir == ROOT / "var/models"
    assert settings.result_ttl is None
    assert settings.store_timeout == timedelta(milliseconds=250)


def test_the_settings_of_an_object_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load_settings({}).port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", timedelta(seconds=10)),
        ("0.5", timedelta(seconds=0.5)),
        ("5m", timedelta(minutes=5)),
        ("1h 30m", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
    ],
)
def test_durations_are_seconds_or_have_units(text: str, value: timedelta) -> None:
    assert load_settings({"ABSTRACTS_L1_TTL": text}).l1_ttl == value


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://a.example", ("https://a.example",)),
        ("https://A.example:443, http://b:80 http://b:443", ("https://a.example", "http://b", "http://b:443")),
        ("http://[::1]:8080 capacitor://localhost", ("http://[::1]:8080", "capacitor://localhost")),
        ("*", ("*",)),
    ],
)
def test_origins_are_as_browsers_write_them(text: str, origins: tuple[str, ...]) -> None:
    assert load_settings({"ABSTRACTS_CORS_ORIGINS": text}).cors_origins == origins


@pytest.mark.parametrize("text", ["a.example", "https://a.example/", "https://*.example", "null", "https://a b"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    assert "is no origin" in faults(CORS_ORIGINS=text)[0]


def test_an_absolute_data_dir_gives_an_absolute_sqlite_url() -> None:
    assert load_settings({"ABSTRACTS_DATA_DIR": "/data"}).store_url == "sqlite:////data/abstracts.sqlite"


def test_an_empty_value_is_the_default() -> None:
    assert load_settings({"ABSTRACTS_PORT": "", "ABSTRACTS_RESULT_TTL": " "}) == load_settings({})


def test_all_faults_come_in_one_message() -> None:
    found = faults(PORT="x", LOG_LEVEL="loud", L1_TTL="-3s", STORE_ABSTRACTS="maybe", LIMIT_KEY="often", HOSST="a")
    assert [fault.removeprefix("unknown setting ").split("=")[0].split(";")[0] for fault in found] == [
        "ABSTRACTS_HOSST",
        "ABSTRACTS_PORT",
        "ABSTRACTS_STORE_ABSTRACTS",
        "ABSTRACTS_L1_TTL",
        "ABSTRACTS_LOG_LEVEL",
        "ABSTRACTS_LIMIT_KEY",
    ]


def test_a_misspelt_variable_names_its_neighbour() -> None:
    assert faults(STORE_PASWORD="hunter2") == (
        "unknown setting ABSTRACTS_STORE_PASWORD; did you mean ABSTRACTS_STORE_PASSWORD?",
    )
    assert faults(COLOUR="red") == ("unknown setting ABSTRACTS_COLOUR; remove it.",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("QUEUE_SIZE", "0"),
        ("STORE_TIMEOUT", "0"),
        ("STORE_TIMEOUT", "soon"),
        ("TRUSTED_PROXIES", "-1"),
        ("L1_SIZE", "many"),
        ("RESULT_TTL", "10ms"),
        ("LIMIT_IP", "0 per minute"),
        ("LIMIT_IP", "5 per fortnight"),
        ("TFSERVING_URL", "localhost:8501"),
        ("JOBS_BROKER_URL", "kafka://x"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    assert any(fault.startswith(PREFIX + name) for fault in faults(**{name: value}))


def test_workers_need_a_store_that_they_share() -> None:
    (fault,) = faults(WORKERS="4", STORE_URL="memory://")
    assert "ABSTRACTS_WORKERS=1" in fault
    assert load_settings({"ABSTRACTS_WORKERS": "4"}).workers == 4


def test_the_queue_must_leave_threads_for_stored_answers() -> None:
    (fault,) = faults(SERVER_THREADS="8", QUEUE_SIZE="8")
    assert "at least 9" in fault


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = load_settings({**COUCHBASE, "ABSTRACTS_JOBS_BROKER_URL": "amqp://me:hunter2@broker/x"})
    assert settings.store_password == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.public())
    assert settings.public()["ABSTRACTS_JOBS_BROKER_URL"] == "amqp://********@broker/x"


def test_a_package_that_is_missing_is_named_with_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "celery", raising=False)
    found = " ".join(faults(JOBS_BROKER_URL="redis://x"))
    assert "Celery" in found
    assert "requirements/worker.txt" in found


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:hunter2@host:8501", "http://********@host:8501"),
        ("redis://:hunter2@a:1/0;redis://:hunter2@b:1/0", "redis://********@b:1/0"),
        ("rediss://h/0?ssl_cert_reqs=none&password=hunter2", "rediss://h/0?ssl_cert_reqs=none&password=********"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("amqp://me:hunt/er2@host/", "amqp://********@host/"),
    ],
)
def test_an_address_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert masked(url) == masked(url, secret=True) == shown


def test_a_password_in_an_address_that_is_refused_is_not_shown() -> None:
    assert "hunter2" not in " ".join(faults(TFSERVING_URL="ftp://me:hunter2@x", JOBS_BROKER_URL="kafka://:hunter2@x"))


def test_what_is_shown_has_types() -> None:
    shown = load_settings({"ABSTRACTS_RESULT_TTL": "1h", "ABSTRACTS_STORE_ABSTRACTS": "yes"}).public()
    assert shown["ABSTRACTS_PORT"] == 8000
    assert shown["ABSTRACTS_RESULT_TTL"] == 3600
    assert shown["ABSTRACTS_STORE_TIMEOUT"] == 0.25
    assert shown["ABSTRACTS_STORE_ABSTRACTS"] is True
    assert shown["ABSTRACTS_STORE_CA"] is None
    assert shown["ABSTRACTS_DATA_DIR"] == str(ROOT / "var")


def test_relative_paths_begin_at_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"ABSTRACTS_DATA_DIR": "data", "ABSTRACTS_MODEL_DIR": "m", "ABSTRACTS_STORE_URL": "sqlite:///x/y.sqlite"}
    settings = load_settings(given)
    assert (settings.data_dir, settings.model_dir) == (ROOT / "data", ROOT / "m")
    assert settings.store_url == f"sqlite:///{ROOT}/x/y.sqlite"


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    wrong: list[str] = []
    listed = read_env_file(ROOT / ".env.example", wrong)
    assert wrong == []
    assert sorted(listed) == sorted(NAMES)
    assert load_settings(listed) == load_settings({})
