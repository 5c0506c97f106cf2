"""The cores that a container may use."""

import os
from pathlib import Path

import pytest

from service.cores import available_cores

HERE = len(os.sched_getaffinity(0))


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", HERE), ("100000 100000", 1), ("50000 100000", 1), ("9900000 100000", min(HERE, 99)), ("", HERE)],
)
def test_a_quota_of_version_2(limit: str, cores: int, tmp_path: Path) -> None:
    write(tmp_path, member="0::/a/b")
    write(tmp_path / "a/b", cpu__max=limit)
    assert available_cores(tmp_path, tmp_path / "member") == cores


def test_the_least_of_a_group_and_those_above_it_counts(tmp_path: Path) -> None:
    write(tmp_path, member="0::/a/b")
    write(tmp_path / "a", cpu__max="100000 100000")
    write(tmp_path / "a/b", cpu__max="9900000 100000")
    assert available_cores(tmp_path, tmp_path / "member") == 1


def test_in_a_container_the_path_may_be_the_machines(tmp_path: Path) -> None:
    write(tmp_path, member="0::/system.slice/docker-1.scope", cpu__max="100000 100000")
    assert available_cores(tmp_path, tmp_path / "member") == 1


@pytest.mark.parametrize(("quota", "cores"), [("-1", HERE), ("100000", 1), ("9900000", min(HERE, 99))])
def test_a_quota_of_version_1(quota: str, cores: int, tmp_path: Path) -> None:
    write(tmp_path, member="5:memory:/a\n4:cpu,cpuacct:/a\n0::/b")
    write(tmp_path / "cpu,cpuacct/a", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    assert available_cores(tmp_path, tmp_path / "member") == cores


def test_without_control_groups_all_count(tmp_path: Path) -> None:
    assert available_cores(tmp_path, tmp_path / "none") == HERE
