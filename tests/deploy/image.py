"""The container image, built and run: `make test-image`. No part of `make test`: it takes minutes and a network.

ENGINE (podman or docker, with options: "podman --runtime runc") and BASE (a Debian with Python 3.11 and venv, where
python:3.11-slim-bookworm cannot be pulled) say with what. Without an engine that runs containers all of it is skipped.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import requests

from tests.service.conftest import ABSTRACT
from tests.service.waiting import until
from tests.sources import ROOT

BASE: Final = os.environ.get("BASE") or "python:3.11-slim-bookworm"
NAMES: Final = ("podman", "docker")
IMAGE: Final = "localhost/abstracts-test"
UNKNOWN: Final = "4321:4321"
"""A user and a group that the image knows nothing of."""


def engine() -> list[str]:
    """The program that runs containers, with its options. Skips what asks where there is none."""
    found = shlex.split(os.environ.get("ENGINE", "")) or [name for name in NAMES if shutil.which(name)][:1]
    if not found:
        pytest.skip("there is neither podman nor docker on this machine")
    return found


def call(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """What the engine says."""
    return subprocess.run([*engine(), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=timeout)


def build(target: str) -> str:
    """The name of the image of a target of the Dockerfile; empty: the server."""
    name = f"{IMAGE}-{target}" if target else IMAGE
    chroot = ["--isolation=chroot", "--format=docker"] if "podman" in engine()[0] else []
    arguments = [*chroot, "--network=host", f"--build-arg=BASE={BASE}", "--build-arg=REQUIREMENTS=worker"]
    arguments += ["--build-arg=VERSION=1.2.3", *([f"--target={target}"] if target else []), f"--tag={name}"]
    done = call("build", "--file=deploy/Dockerfile", *arguments, ".", timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return name


@pytest.fixture(scope="module")
def image() -> str:
    """The server's image."""
    runs = call("run", "--rm", "--network=host", BASE, "true", timeout=300)
    if runs.returncode:
        pytest.skip(f"no container of {BASE} runs here: {runs.stderr.strip()[-300:]}")
    return build("")


@contextmanager
def running(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[str]:
    """The id of a container, on this machine's own network."""
    started = call("run", "--detach", "--network=host", *options, image, *command)
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip().splitlines()[-1]
    try:
        yield container
    finally:
        call("rm", "--force", "--volumes", container)


@contextmanager
def serving(image: str, *options: str) -> Iterator[tuple[str, str]]:
    """A container that answers, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    where = ("--env=ABSTRACTS_HOST=127.0.0.1", f"--env=ABSTRACTS_PORT={port}", "--env=http_proxy=http://127.0.0.1:9")
    with running(image, *where, *options) as container:
        until(lambda: call("exec", container, "python", "-m", "service.alive").returncode == 0)
        yield container, f"http://127.0.0.1:{port}"


def test_it_serves_with_the_documented_first_key_and_stops_in_time(image: str) -> None:
    with serving(image) as (container, url):
        made = call("exec", container, "abstracts", "keys", "create", "--name", "me", "--json")
        headers = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
        answer = requests.post(f"{url}/api/predict/", json={"abstract": ABSTRACT}, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["cached"]) == (200, False)
        assert call("stop", "--time=40", container, timeout=60).returncode == 0
        assert call("inspect", "--format={{.State.ExitCode}}", container).stdout.strip() == "0"


def test_any_user_may_run_it_and_nothing_but_the_volume_is_written(image: str) -> None:
    with serving(image, f"--user={UNKNOWN}", "--read-only", "--tmpfs=/tmp") as (container, url):
        assert requests.get(f"{url}/readyz", timeout=60).json()["store"] == "up"
        assert call("exec", container, "abstracts", "keys", "create", "--name", "me").returncode == 0


def test_a_mount_that_it_may_not_write_to_is_named_with_the_remedy(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    done = call("run", "--rm", "--network=host", f"--volume={tmp_path}:/var/lib/abstracts", image)
    assert done.returncode == 1
    assert "ABSTRACTS_DATA_DIR=/var/lib/abstracts: the user abstracts cannot write there" in done.stderr
    assert "give what is mounted there to the user 10001" in done.stderr


def test_without_a_server_the_check_fails(image: str) -> None:
    assert call("run", "--rm", "--network=host", image, "python", "-m", "service.alive").returncode == 1


def test_it_has_labels_a_numeric_user_and_no_installer(image: str) -> None:
    (about,) = json.loads(call("image", "inspect", image).stdout)
    config = about["Config"]
    assert config["User"].split(":")[0].isdecimal()
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    for name in ("pip", "setuptools"):
        done = call("run", "--rm", "--network=host", image, "python", "-c", f"import {name}")
        assert "ModuleNotFoundError" in done.stderr


def test_the_worker_runs_as_any_user_and_has_no_check(image: str) -> None:
    worker = build("worker")
    assert "healthcheck" not in call("image", "inspect", worker).stdout.lower()
    broker = ("--env=ABSTRACTS_JOBS_BROKER_URL=redis://127.0.0.1:9/0", f"--user={UNKNOWN}")
    with running(worker, *broker) as container:
        until(lambda: "Cannot connect to redis" in "".join(_logs(container)))


def _logs(container: str) -> tuple[str, str]:
    done = call("logs", container)
    return done.stdout, done.stderr
