"""A PDF's bytes -> its abstract, by a process that may be killed."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.errors import ServiceError
from service.pdf.errors import (
    NotAPdf,
    PdfBusy,
    PdfDamaged,
    PdfEncrypted,
    PdfError,
    PdfReaderFailed,
    PdfTooDemanding,
    PdfTooLarge,
    PdfWithoutAbstract,
    PdfWithoutText,
)
from service.pdf.fairqueue import FairQueue
from service.pdf.find import Found
from service.pdf.worker import STARTED

Read = Callable[[bytes], Found]
"""A PDF's bytes -> its abstract. Raises a PdfError or PdfReaderFailed."""

log = logging.getLogger("abstracts.pdf")

MAX_BYTES: Final = 20 << 20
SECONDS: Final = 10.0
PROCESSES: Final = 2
WAITING: Final = 8
"""So many callers may wait for a process. With the model's own queue they stay below the server's threads."""
_HEADER_WITHIN: Final = 1024
"""Bytes within which readers look for the header (ISO 32000-1, annex H.3.4.1)."""
_ROOT: Final = Path(__file__).resolve().parents[2]


class Extractor:
    """Runs at most `processes` workers at once; `waiting` callers more may wait, those of different owners by turns.

    A worker that runs longer than `seconds` is killed; who waits longer than twice that is refused. `count` is told
    what became of each file: "read", or the slug of its problem, and how many seconds it took once it was its turn.
    """

    def __init__(
        self,
        *,
        processes: int = PROCESSES,
        waiting: int = WAITING,
        seconds: float = SECONDS,
        command: Sequence[str] = (),
        count: Callable[[str, float], None] = lambda _outcome, _seconds: None,
    ) -> None:
        self._seconds = seconds
        self._command = command
        self._count = count
        self._queue = FairQueue(processes, waiting)

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return self._queue.waiting

    def extract(self, data: bytes, owner: str = "") -> Found:
        """The abstract in a PDF. Raises a PdfError, PdfBusy or PdfReaderFailed."""
        with self.reader(owner) as read:
            return read(data)

    @contextmanager
    def reader(self, owner: str, patience: float | None = None) -> Iterator[Read]:
        """What reads one PDF for the `owner`, an API key's id, once it is its turn.

        So the file need not be in memory before. Raises PdfBusy when too many wait, or after `patience` seconds.
        """
        try:
            with self._queue.place(owner, 2 * self._seconds if patience is None else patience):
                yield self._read
        except PdfBusy as exc:
            self._count(exc.slug, 0.0)
            raise

    def _read(self, data: bytes) -> Found:
        started = time.perf_counter()
        try:
            found = self._examine(data)
        except ServiceError as exc:
            self._count(exc.slug, time.perf_counter() - started)
            if isinstance(exc, PdfReaderFailed):
                log.error("%s", exc)  # noqa: TRY400  (how it came here says nothing)
            raise
        self._count("read", time.perf_counter() - started)
        return found

    def _examine(self, data: bytes) -> Found:
        if len(data) > MAX_BYTES:
            raise PdfTooLarge(f"The file has {len(data)} bytes. Send a PDF of at most {MAX_BYTES}.")
        if b"%PDF-" not in data[:_HEADER_WITHIN]:
            raise NotAPdf
        return _understand(*self._run(data))

    def _run(self, data: bytes) -> tuple[int, bytes]:
        """Exit status and output of a worker. It inherits nothing of the environment, where secrets are."""
        try:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                self._command or (interpreter(), "-m", "service.pdf.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
            )
        except OSError as exc:
            raise PdfReaderFailed(str(exc)) from exc
        with process:
            try:
                output, _ = process.communicate(data, timeout=self._seconds)
            except subprocess.TimeoutExpired as exc:
                if not (exc.output or b"").startswith(STARTED):
                    raise PdfReaderFailed(f"it said nothing within {self._seconds:g} s") from exc
                log.warning("a PDF of %d bytes was given up after %g s", len(data), self._seconds)
                raise PdfTooDemanding("time") from exc
            finally:
                process.kill()  # nothing once it has ended; leaving the block waits for it
        return process.returncode, output


def interpreter() -> str:
    """Python's path: `sys.executable`, except within a program that embeds Python, such as uWSGI, whose own that is."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = (f"python{version}", "python3", "python")
    folders = dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix))
    paths = (Path(folder) / "bin" / name for folder in folders for name in names)
    return next((str(path) for path in paths if path.exists()), names[0])


_FAULTS: Final[dict[str, Callable[[], PdfError]]] = {
    "damaged": PdfDamaged,
    "encrypted": PdfEncrypted,
    "no-text": PdfWithoutText,
    "no-abstract": PdfWithoutAbstract,
}


def _understand(status: int, output: bytes) -> Found:
    if not output.startswith(STARTED):
        raise PdfReaderFailed(f"it ended with status {status}")
    try:
        answer = json.loads(output.removeprefix(STARTED)) if status == 0 else {}
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
