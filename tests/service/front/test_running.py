"""A server is found by its file, and serves without one."""

from pathlib import Path

import pytest

from config import load_settings
from service.errors import NotRunning
from service.front.running import announced, reload_server


def test_without_a_place_for_the_file_it_serves_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    settings = load_settings({"ABSTRACTS_DATA_DIR": f"{tmp_path}/file/var", "ABSTRACTS_STORE_URL": "memory://"})
    served = False
    with announced(settings):
        served = True
        with pytest.raises(NotRunning):
            reload_server(settings)
    assert served
    assert "Send SIGHUP" in caplog.text
