"""Where log lines go: the access log to standard output, one JSON object a line; the rest to standard error.

Whoever reads them may be slow, or stop, and hold nobody up: lines wait in memory for a thread that writes them, and
those that find no room are dropped and counted.
"""

import logging
import logging.config
import os
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

from service.telemetry.request_ids import WithRequest

STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2
MOST_WAITING: Final = 16_384
"""Lines."""
MOST_CHARACTERS: Final = 16_384
"""Of a line."""
ATOMIC: Final = 4096
"""Bytes that a pipe takes in one piece (PIPE_BUF on Linux), so that lines of several processes do not mix."""
GATHER_SECONDS: Final = 0.02
"""How long lines are gathered for one write."""
CLOSE_SECONDS: Final = 1.0
FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s%(request)s"
"""For records that WithRequest has seen."""

log = logging.getLogger("abstracts.log")


class LineWriter:
    """Writes lines to a file descriptor, each in one piece, in a thread of its own; `lost` counts those that were not.

    `write` never waits. Safe to use from several threads; its thread starts in the process that first writes.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._start = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._busy = self._closed = False
        self.lost = 0

    def write(self, line: str) -> None:
        """Has the line written, without its end."""
        if self._closed or len(self._lines) >= MOST_WAITING:
            self.lost += 1
            return
        self._lines.append(line)
        if not self._woken.is_set():
            self._woken.set()
            if self._thread is None:
                self._start_thread()

    def _start_thread(self) -> None:
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Waits until what there is has been written, CLOSE_SECONDS at most; then nothing more is."""
        deadline, thread = time.monotonic() + CLOSE_SECONDS, self._thread
        if thread is None or not thread.is_alive():  # it stayed behind in the process that this one was forked from
            return
        while (self._lines or self._busy) and time.monotonic() < deadline:
            time.sleep(GATHER_SECONDS / 2)
        self._closed = True
        self.lost += len(self._lines)
        self._lines.clear()
        self._woken.set()

    def _work(self) -> None:
        while not self._closed:
            self._woken.wait()
            self._busy = True
            time.sleep(GATHER_SECONDS)
            self._woken.clear()
            while self._lines:
                self._write(self._gather())
            self._busy = False

    def _gather(self) -> list[bytes]:
        """The next lines: as many as a pipe takes in one piece, but one at least."""
        found: list[bytes] = []
        size = 0
        while self._lines:
            with suppress(IndexError):  # `close` has taken what was left
                text = self._lines.popleft()
                line = f"{text[:MOST_CHARACTERS]}\n".encode(errors="backslashreplace")
                if found and size + len(line) > ATOMIC:
                    self._lines.appendleft(text)
                    break
                found.append(line)
                size += len(line)
        return found

    def _write(self, lines: list[bytes]) -> None:
        data = memoryview(b"".join(lines))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            first = self.lost == 0
            self.lost += len(lines)
            if first and self._descriptor != STANDARD_ERROR:
                log.warning("the access log cannot be written: %s", error)


class AccessLog(LineWriter):
    """One line a request. `logging` would take as long for it as the service for a stored answer."""

    def __init__(self, descriptor: int = STANDARD_OUTPUT) -> None:
        super().__init__(descriptor)


class Errors(logging.Handler):
    """Records to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._writer = LineWriter(STANDARD_ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        """Has it written; whoever logs does not wait."""
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001  (as every handler of the standard library: a bad record must not end a request)
            self.handleError(record)

    @property
    def lost(self) -> int:
        """How many were not written."""
        return self._writer.lost

    def close(self) -> None:
        """Waits a moment for the last lines."""
        self._writer.close()
        super().close()


def lost_lines(access_log: AccessLog | None) -> int:
    """The lines that were lost in this process, of the access log and of what goes to standard error."""
    handlers = (each for each in logging.getLogger().handlers if isinstance(each, Errors))
    return sum(each.lost for each in handlers) + (0 if access_log is None else access_log.lost)


def configure(level: str) -> None:
    """Sets up logging for a process that serves: what is at least of that level goes to standard error."""
    logging.config.dictConfig(_configuration(level))


def _configuration(level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": WithRequest}},
        "formatters": {"plain": {"format": FORMAT}},
        "handlers": {
            "errors": {"class": f"{__name__}.{Errors.__name__}", "formatter": "plain", "filters": ["request"]}
        },
        "root": {"level": level, "handlers": ["errors"]},
    }
