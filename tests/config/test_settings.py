"""Settings: defaults, parsing, secrets, every fault at once, and the documents that list them."""

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from pathlib import Path

import pytest
from dotenv import dotenv_values

from config import PREFIX, Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[2]
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
    assert settings.store_url == "sqlite:///var/abstracts.sqlite"
    assert settings.model_dir == Path("var/models")
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


def test_an_absolute_data_dir_gives_an_absolute_sqlite_url() -> None:
    assert load_settings({"ABSTRACTS_DATA_DIR": "/data"}).store_url == "sqlite:////data/abstracts.sqlite"


def test_an_empty_value_is_the_default() -> None:
    assert load_settings({"ABSTRACTS_PORT": "", "ABSTRACTS_RESULT_TTL": " "}) == load_settings({})


def test_all_faults_come_in_one_message() -> None:
    found = faults(PORT="x", LOG_LEVEL="loud", L1_TTL="-3s", STORE_ABSTRACTS="maybe", LIMIT_KEY="often", HOSST="a")
    assert [fault.split("=")[0].split(" ")[0] for fault in found] == [
        "ABSTRACTS_HOSST",
        "ABSTRACTS_PORT",
        "ABSTRACTS_STORE_ABSTRACTS",
        "ABSTRACTS_L1_TTL",
        "ABSTRACTS_LOG_LEVEL",
        "ABSTRACTS_LIMIT_KEY",
    ]


def test_a_misspelt_variable_names_its_neighbour() -> None:
    assert faults(STORE_PASWORD="hunter2") == (
        "ABSTRACTS_STORE_PASWORD is no setting. Remove it, or was ABSTRACTS_STORE_PASSWORD meant?",
    )


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
        ("STORE_CA", "/nowhere/ca.pem"),
        ("STORE_URL", "mysql://x/y"),
        ("STORE_URL", "sqlite://x"),
        ("STORE_URL", "sqlite:///"),
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


def test_couchbase_needs_a_bucket_and_credentials() -> None:
    found = " ".join(faults(STORE_URL="couchbase://host"))
    assert "no bucket" in found
    assert "STORE_USERNAME" in found
    assert "STORE_PASSWORD" in found
    assert load_settings(COUCHBASE).store_url == COUCHBASE["ABSTRACTS_STORE_URL"]


def test_a_user_in_the_store_url_is_refused_without_showing_it() -> None:
    found = " ".join(faults(STORE_URL="couchbase://me:hunter2@host/bucket", STORE_USERNAME="a", STORE_PASSWORD="b"))
    assert "ABSTRACTS_STORE_USERNAME" in found
    assert "hunter2" not in found


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = load_settings({**COUCHBASE, "ABSTRACTS_JOBS_BROKER_URL": "amqp://me:hunter2@broker/x"})
    assert settings.store_password == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.public())
    assert settings.public()["ABSTRACTS_JOBS_BROKER_URL"] == "amqp://********@broker/x"


def test_the_process_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("ABSTRACTS_PORT=9001\nABSTRACTS_HOST=0.0.0.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABSTRACTS_PORT", "9002")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9002)


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    listed = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    assert sorted(listed) == sorted(NAMES)
    assert load_settings(listed) == load_settings({})


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_names_every_setting(name: str) -> None:
    readme = (ROOT / "README.md").read_text()
    assert f"`{name.removeprefix(PREFIX)}`" in readme or f"`{name}`" in readme
