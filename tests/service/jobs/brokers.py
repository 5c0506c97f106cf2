"""Real brokers on free loopback ports, with folders of their own, stopped at the end."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import end, start
from tests.service.waiting import until

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
REDIS = Path("/usr/bin/redis-server")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def listens(port: int) -> bool:
    """Whether somebody accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def require(program: Path) -> None:
    """Fails the test if the program is not installed."""
    if not program.exists():
        pytest.fail(f"{program.name} is missing: make test as root installs it, or apt-get install {program.name}")


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis server."""
    require(REDIS)
    (port,) = free_ports(1)
    command = [str(REDIS), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with running(command, folder, port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """The URL of a RabbitMQ server, which has an epmd of its own."""
    require(RABBITMQ)
    port, dist, epmd = free_ports(3)
    (folder / "plugins").write_text("[].")
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    environ = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
        "ERL_AFLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # Its own epmd, in the foreground: the one that the server would start leaves its process group and stays behind.
    (folder / "epmd").mkdir()
    with (
        running(["epmd", "-address", "127.0.0.1", "-port", str(epmd)], folder / "epmd", epmd),
        running([str(RABBITMQ)], folder, port, environ),
    ):
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def running(command: list[str], folder: Path, port: int, environ: dict[str, str] | None = None) -> Iterator[None]:
    """A server that accepts connections; stopped at the end, with whatever it started."""
    with (folder / "output").open("wb") as output:
        process = start(command, cwd=folder, env=os.environ | (environ or {}), stdout=output, stderr=output)
    try:
        until(lambda: listens(port) or process.poll() is not None, 180)
        assert process.poll() is None, (folder / "output").read_text()
        yield
    finally:
        end(process)
