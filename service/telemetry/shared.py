"""What the processes of one server count, each in files of its own in a folder that all of them read.

This is prometheus_client's multiprocess mode: a count lies in a mapped file, so it outlives the process that made it,
even one that is killed. Processes are told apart by seats, not by their ids: who takes a dead one's seat goes on with
its counts, so there are never more files than processes at a time.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.errors import NotServing

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder. Other servers than ours set it themselves."""
_PREFIX: Final = "abstracts-metrics-"
_LOCK: Final = "lock"


@contextmanager
def shared_folder() -> Iterator[None]:
    """A folder for this process and those that it forks, private, empty, gone in the end. Raises NotServing.

    Those of servers that were killed go now. Each is locked by a file in it as long as one of its processes lives.
    """
    before = os.environ.get(FOLDER)
    try:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as exc:
        raise NotServing(f"there is no folder for temporary files ({exc}): set TMPDIR to one") from exc
    with (path / "unlocked").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (path / "unlocked").rename(path / _LOCK)
        os.environ[FOLDER] = str(path)
        try:
            _remove_abandoned(path.parent)
            yield
        finally:
            shutil.rmtree(path, ignore_errors=True)
            os.environ.pop(FOLDER)
            if before is not None:
                os.environ[FOLDER] = before


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # one in use is locked, and one may be removed just now
            if path.lstat().st_uid == os.getuid():
                with (path / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)


def take_seat(number: int) -> None:
    """Lets what this process counts from now on lie in the folder, under a number that no other has at the time."""
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


def leave_seat(number: int) -> None:
    """The process with this number has ended: what it counted stays, what was true only while it ran goes."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(number)  # type: ignore[no-untyped-call]


def registry_of_all() -> "CollectorRegistry | None":
    """What all processes count; None if this one counts for itself alone."""
    if FOLDER not in os.environ:
        return None
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    folder = Path(os.environ[FOLDER])

    class Everything:
        @staticmethod
        def collect() -> "Iterable[Metric]":
            """Without files that a process has only just made: prometheus_client fails on one that is empty."""
            files = [str(path) for path in folder.glob("*.db") if _has_content(path)]
            return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call,no-any-return]

    registry = CollectorRegistry()
    registry.register(Everything())
    return registry


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:  # of a process that has just ended
        return False


@contextmanager
def exported(host: str, port: int) -> Iterator[None]:
    """Serves what this process and those that it forks count, at this address. OSError if it cannot be had, NotServing.

    For processes that serve nothing else; each that counts takes a seat.
    """
    from prometheus_client import start_http_server

    with shared_folder():
        registry = registry_of_all()
        assert registry is not None  # noqa: S101
        server, thread = start_http_server(port, host, registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
