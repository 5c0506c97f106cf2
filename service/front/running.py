"""Finds the server that runs on this machine, to tell it something."""

import fcntl
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import Settings
from service.errors import NotRunning

log = logging.getLogger("abstracts.server")


@contextmanager
def announced(settings: Settings) -> Iterator[None]:
    """While this lasts, the process can be found. The file is locked as long as the process lives, and no longer.

    Where DATA_DIR cannot be written to, as may be with Couchbase, it cannot be found, and serves all the same.
    """
    path = _path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as exc:
        log.warning("`model reload` will not find this server: %s (%s). Send SIGHUP to it instead.", path, exc.strerror)
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def reload_server(settings: Settings) -> int:
    """Send SIGHUP to the server of these settings, whose workers then start anew one by one; returns its process id.

    NotRunning when there is none.
    """
    try:
        with _path(settings).open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                process = int(file.read())
                os.kill(process, signal.SIGHUP)
                return process
    except (OSError, ValueError) as exc:
        raise NotRunning(f"no server of these settings runs here ({exc})") from exc
    raise NotRunning(f"no server runs on port {settings.port} with {settings.data_dir}")


def _path(settings: Settings) -> Path:
    return settings.data_dir / f"serve-{settings.port}.pid"
