"""The systemd units: what each promises, and what systemd itself says of them where it is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from service.front.worker import MAX_CONNECTIONS, RESERVED_FILES, STOP_SECONDS
from tests.sources import ROOT

UNITS = ("abstracts.service", "abstracts-worker.service")
EXPOSURE = 15
"""Tenths of systemd's exposure level (0 to 10) that are the most."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


def settings(unit: str, section: str = "Service") -> dict[str, list[str]]:
    """The values of each setting of a section, in order; configparser knows no settings that are given twice."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in (ROOT / "deploy" / unit).read_text("utf-8").splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif line and not line.startswith("#") and current == section:
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_server_starts_whatever_the_store_does_and_reloads() -> None:
    server = settings("abstracts.service")
    assert "ExecStartPre" not in server
    assert server["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert int(server["LimitNOFILE"][0]) >= MAX_CONNECTIONS + RESERVED_FILES
    assert int(server["TimeoutStopSec"][0]) > STOP_SECONDS


def test_the_worker_runs_our_tasks() -> None:
    (command,) = settings("abstracts-worker.service")["ExecStart"]
    assert " -A service.worker worker" in command


@pytest.mark.parametrize("unit", UNITS)
def test_both_start_with_the_machine_and_again_after_a_failure(unit: str) -> None:
    assert settings(unit, "Install") == {"WantedBy": ["multi-user.target"]}
    assert settings(unit)["Restart"] == ["on-failure"]
    assert settings(unit)["User"] == ["abstracts"]


def test_both_are_shut_in_alike() -> None:
    hardening = [
        {name: values for name, values in settings(unit).items() if name.startswith(("Protect", "Private", "Restrict"))}
        for unit in UNITS
    ]
    assert hardening[0] == hardening[1]
    assert "ProcSubset" not in settings(UNITS[0])  # jobs were five times slower
    filters = [settings(unit)["SystemCallFilter"] for unit in UNITS]
    assert filters[0] == filters[1]
    assert "setpriority" in filters[0][-1]  # PDFs are read at a lower priority


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_no_fault(unit: str, tmp_path: Path) -> None:
    copy = tmp_path / unit
    text = (ROOT / "deploy" / unit).read_text("utf-8")
    copy.write_text(re.sub(r"/opt/abstracts/.venv/bin/\w+", "/bin/true", text), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", copy], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit in line]) == (0, [])


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_its_exposure_is_small(unit: str) -> None:
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}"]
    done = subprocess.run([*command, ROOT / "deploy" / unit], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]
