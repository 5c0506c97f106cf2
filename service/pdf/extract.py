"""A PDF's bytes -> its abstract, by a process that may be killed."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.pdf.errors import (
    NotAPdf,
    PdfBusy,
    PdfDamaged,
    PdfEncrypted,
    PdfError,
    PdfTooDemanding,
    PdfTooLarge,
    PdfWithoutAbstract,
    PdfWithoutText,
)
from service.pdf.find import Found

log = logging.getLogger("abstracts.pdf")

MAX_BYTES: Final = 20 << 20
SECONDS: Final = 10.0
PROCESSES: Final = 2
WAITING: Final = 8
"""So many callers may wait for a process. With the model's own queue they stay below the server's threads."""
_HEADER_WITHIN: Final = 1024
"""Bytes within which readers look for the header (ISO 32000-1, annex H.3.4.1)."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_WORKER: Final = (sys.executable, "-m", "service.pdf.worker")


class Extractor:
    """Runs at most `processes` workers at once; `waiting` callers more may wait, each at most `seconds`.

    A worker that runs longer than `seconds` is killed.
    """

    def __init__(
        self,
        *,
        processes: int = PROCESSES,
        waiting: int = WAITING,
        seconds: float = SECONDS,
        command: Sequence[str] = _WORKER,
    ) -> None:
        self._seconds = seconds
        self._command = command
        self._places = threading.BoundedSemaphore(processes + waiting)
        self._running = threading.BoundedSemaphore(processes)

    def extract(self, data: bytes) -> Found:
        """The abstract in a PDF. Raises a PdfError, or PdfBusy when too many are at it."""
        if len(data) > MAX_BYTES:
            raise PdfTooLarge(f"The file has {len(data)} bytes. Send a PDF of at most {MAX_BYTES}.")
        if b"%PDF-" not in data[:_HEADER_WITHIN]:
            raise NotAPdf
        with self._place():
            status, output = self._run(data)
        return _understand(status, output)

    @contextmanager
    def _place(self) -> Iterator[None]:
        busy = PdfBusy(max(1, round(self._seconds)))
        if not self._places.acquire(blocking=False):
            raise busy
        try:
            if not self._running.acquire(timeout=self._seconds):
                raise busy
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._places.release()

    def _run(self, data: bytes) -> tuple[int, bytes]:
        """Exit status and output of a worker. It inherits nothing of the environment, where secrets are."""
        with subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
        ) as process:
            try:
                output, _ = process.communicate(data, timeout=self._seconds)
            except subprocess.TimeoutExpired as exc:
                log.warning("a PDF of %d bytes was given up after %g s", len(data), self._seconds)
                raise PdfTooDemanding("time") from exc
            finally:
                process.kill()  # nothing once it has ended; leaving the block waits for it
        return process.returncode, output


_FAULTS: Final[dict[str, Callable[[], PdfError]]] = {
    "damaged": PdfDamaged,
    "encrypted": PdfEncrypted,
    "no-text": PdfWithoutText,
    "no-abstract": PdfWithoutAbstract,
}


def _understand(status: int, output: bytes) -> Found:
    try:
        answer = json.loads(output) if status == 0 else {}
    except ValueError:
        answer = {}
    fault = answer.get("fault")
    if fault in _FAULTS:
        raise _FAULTS[fault]()
    if fault == "memory":
        raise PdfTooDemanding("memory")
    if not answer:
        # PDFium ends the process where memory runs out or the file leads it astray.
        log.warning("the process that read a PDF ended with status %d", status)
        raise PdfTooDemanding("memory or time")
    return Found(**answer)
