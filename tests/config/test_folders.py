"""A place that cannot be written to is named with its setting and the remedy."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Settings, SettingsError, load_settings, make_data_dir, make_model_dir, make_store_folder


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process cannot write to, whoever it is."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)


def settings(**variables: object) -> Settings:
    return load_settings({f"ABSTRACTS_{name}": str(value) for name, value in variables.items()})


@pytest.mark.parametrize("below", ["", "new/folder"])
def test_without_permission_the_setting_and_a_command_are_named(locked: Path, below: str) -> None:
    given = settings(DATA_DIR=locked / below)
    for make in (make_data_dir, make_store_folder):
        with pytest.raises(SettingsError) as caught:
            make(given)
        (fault,) = caught.value.faults
        assert fault.startswith(f"ABSTRACTS_DATA_DIR={locked / below}: the user ")
        assert fault.endswith(f" {locked / below}")
        assert "sudo install -d -o" in fault


def test_a_sqlite_file_elsewhere_is_named_by_its_own_setting(locked: Path) -> None:
    url = f"sqlite:///{locked}/x.sqlite"
    with pytest.raises(SettingsError, match=f"ABSTRACTS_STORE_URL={url}: the user "):
        make_store_folder(settings(STORE_URL=url))


def test_models_are_in_the_data_folder_unless_they_have_their_own(locked: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"ABSTRACTS_DATA_DIR={locked}: the user "):
        make_model_dir(settings(DATA_DIR=locked))
    with pytest.raises(SettingsError, match=f"ABSTRACTS_MODEL_DIR={locked}: the user "):
        make_model_dir(settings(DATA_DIR=tmp_path, MODEL_DIR=locked))


def test_where_there_can_be_no_folder_another_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"cannot be made there \(Not a directory\)\. Set another"):
        make_data_dir(settings(DATA_DIR=tmp_path / "file" / "var"))


def test_a_file_of_somebody_else_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "abstracts.sqlite").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).is_dir())
    with pytest.raises(SettingsError, match=r"run: sudo chown \S+ \S+/abstracts\.sqlite\*"):
        make_store_folder(settings(DATA_DIR=tmp_path))


def test_other_stores_need_no_folder(locked: Path) -> None:
    make_store_folder(settings(DATA_DIR=locked, STORE_URL="memory://"))


def test_what_is_missing_is_made(tmp_path: Path) -> None:
    make_store_folder(settings(DATA_DIR=tmp_path / "a" / "b"))
    assert make_data_dir(settings(DATA_DIR=tmp_path / "a" / "b")).is_dir()
    assert make_model_dir(settings(DATA_DIR=tmp_path / "c")) == tmp_path / "c" / "models"
    assert (tmp_path / "c" / "models").is_dir()
