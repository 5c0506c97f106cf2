"""compose.yaml: whole, and its set-up of Couchbase ends, whatever the cluster says."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from config import load_settings
from tests.sources import ROOT

FOLDER: Final = ROOT / "deploy"
PROFILES: Final = {"worker", "monitoring", "tls", "tfserving"}
TASKS: Final = ("couchbase-setup", "store-init")
"""Services that end."""

CLI: Final = """#!/bin/bash
echo "$@" >> "$CALLS"
case "$1" in
  cluster-init) echo "$CLUSTER_INIT"; [[ -z $CLUSTER_INIT ]] ;;
  host-list) [[ "$*" == *" -p $GOOD"* ]] || { echo "ERROR: please check your username and password"; exit 1; } ;;
  bucket-list) echo "$BUCKETS" ;;
esac
"""
"""Stands for couchbase-cli."""


@pytest.fixture(scope="module")
def compose() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
    return found


def test_everything_that_is_named_is_there(compose: Mapping[str, Any]) -> None:
    services, volumes = compose["services"], compose["volumes"]
    assert {name for service in services.values() for name in service.get("profiles", ())} == PROFILES
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in volumes or (FOLDER / source).exists() or source.startswith("${"), (name, volume)


def test_what_runs_is_looked_after(compose: Mapping[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["restart"].startswith("on-failure:" if name in TASKS else "unless-stopped"), name
        ours = service["image"] == "abstracts:local"
        assert ours or service["image"].partition(":")[2] not in ("", "latest"), name
        assert "healthcheck" in service or ours, name  # the image has one of its own
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:") or name == "tls"


def test_one_image_serves_with_a_volume_and_time_to_stop(compose: Mapping[str, Any]) -> None:
    ours = [name for name, service in compose["services"].items() if service["image"] == "abstracts:local"]
    assert ours == ["store-init", "abstracts", "worker"]
    for name in ours:
        service = compose["services"][name]
        assert int(service["stop_grace_period"].removesuffix("s")) >= 40
        assert "data:/var/lib/abstracts" in service["volumes"]
        assert service["read_only"] is True
        assert ("healthcheck" in service) == (name != "abstracts")


def test_the_settings_exist(compose: Mapping[str, Any]) -> None:
    for service in compose["services"].values():
        ours = {name: value for name, value in service.get("environment", {}).items() if name.startswith("ABSTRACTS_")}
        load_settings({name: value for name, value in ours.items() if "${" not in value})
        load_settings(dict.fromkeys((name for name, value in ours.items() if "${" in value), ""))


def set_up(
    compose: Mapping[str, Any], folder: Path, password: str, **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The set-up with a stand-in for couchbase-cli, and what that was called with."""
    (folder / "couchbase-cli").write_text(CLI)
    (folder / "sleep").write_text("#!/bin/bash\n")
    for program in ("couchbase-cli", "sleep"):
        (folder / program).chmod(0o755)
    service = compose["services"]["couchbase-setup"]
    (script,) = service["command"]
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(folder / "calls"), "BUCKETS": "", "GOOD": "right"}
    environ |= {"ADMIN_PASSWORD": password, "PASSWORD": "of the service", "CLUSTER_INIT": "", **variables}
    command = [*service["entrypoint"], script.replace("$$", "$")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    return done, (folder / "calls").read_text().splitlines()


def test_a_new_cluster_gets_bucket_and_user(compose: Mapping[str, Any], tmp_path: Path) -> None:
    done, calls = set_up(compose, tmp_path, "right one", GOOD="right one")
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in calls] == [
        "cluster-init",
        "host-list",
        "bucket-list",
        "bucket-create",
        "user-manage",
    ]
    assert "--rbac-password of the service" in calls[-1]


def test_it_may_run_again(compose: Mapping[str, Any], tmp_path: Path) -> None:
    said = "ERROR: Cluster is already initialized, use setting-cluster to change settings"
    done, calls = set_up(compose, tmp_path, "right", CLUSTER_INIT=said, BUCKETS="abstracts")
    assert done.returncode == 0
    assert [call.split()[0] for call in calls] == ["cluster-init", "host-list", "bucket-list", "user-manage"]


def test_a_changed_password_is_told_at_once(compose: Mapping[str, Any], tmp_path: Path) -> None:
    done, calls = set_up(compose, tmp_path, "changed", CLUSTER_INIT="ERROR: Cluster is already initialized")
    assert (done.returncode, len(calls)) == (1, 2)
    assert done.stderr.startswith("COUCHBASE_ADMIN_PASSWORD is not the one that the volume was made with")


def test_a_cluster_that_does_not_come_up_is_given_up(compose: Mapping[str, Any], tmp_path: Path) -> None:
    done, calls = set_up(compose, tmp_path, "right", CLUSTER_INIT="ERROR: Unable to connect")
    assert (done.returncode, len(calls)) == (1, 30)
    assert "The cluster cannot be made: ERROR: Unable to connect" in done.stderr


def test_a_refusal_is_passed_on(compose: Mapping[str, Any], tmp_path: Path) -> None:
    done, calls = set_up(compose, tmp_path, "abc", CLUSTER_INIT="ERROR: The password must be at least 6 characters")
    assert done.returncode == 1
    assert "at least 6 characters" in done.stderr
    assert len(calls) <= 30


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_prometheus_reads_its_configuration() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", FOLDER / "prometheus" / "prometheus.yml"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_grafana_finds_prometheus_and_the_dashboards(compose: Mapping[str, Any]) -> None:
    folder = FOLDER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((folder / "dashboards" / "abstracts.yml").read_text("utf-8"))["providers"]
    assert f"./grafana:{provider['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]
