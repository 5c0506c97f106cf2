"""`python -m service.alive`: whether the server of these settings answers; the exit status says so.

For health checks of containers, every few seconds: it loads next to nothing, and heeds no proxy of the environment.
"""

import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final

from config import Settings, load_settings

TIMEOUT: Final = 2.0


def host_here(settings: Settings) -> str:
    """The address at which this machine finds a server that listens on HOST."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 (compared, not bound)


def is_alive(settings: Settings) -> bool:
    """Whether GET /livez is answered with 200 within TIMEOUT seconds."""
    connection = HTTPConnection(host_here(settings), settings.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(load_settings()) else 1)
