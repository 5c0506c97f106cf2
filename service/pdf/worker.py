"""The process that reads one PDF: `python -m service.pdf.worker` with the file on standard input.

Writes a line once it can read, then one JSON object: `text`, `method`, `confidence` and `page`, or `fault`. PDFium
parses files from strangers, so it runs apart from the service, without its memory, environment or connections, and
within limits that it sets itself before it reads. Whoever starts it watches the clock.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

MEMORY: Final = 512 << 20
"""Bytes of address space. Python and PDFium take about 100 MiB, a paper some tens more."""
CPU_SECONDS: Final = 10
MORE_SECONDS: Final = 4.0
"""Processor time after which no further pages are looked at than the first ones."""
PRIORITY: Final = 10
"""How much lower than the service's (nice): requests that are answered from what is stored do not wait for papers."""
STARTED: Final = b"started\n"
"""What it writes first: what goes wrong before is not the file's fault."""
FAULTS: Final = ("damaged", "encrypted", "no-text", "no-abstract", "memory")
"""What `fault` may say."""
_PASSWORD_ERRORS: Final = (4, 5)
"""FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY."""


def main() -> None:
    """Reads, finds, writes."""
    limit()
    import pypdfium2  # noqa: F401  (if it cannot be loaded, that is not the file's fault)

    sys.stdout.write(STARTED.decode())
    sys.stdout.flush()
    try:
        answer = examine(sys.stdin.buffer.read())
    except MemoryError:
        answer = {"fault": "memory"}
    sys.stdout.write(json.dumps(answer))


def limit() -> None:
    """Bounds the process: priority, memory, processor time, no core file, no files to write."""
    os.nice(PRIORITY)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def examine(data: bytes) -> dict[str, Any]:
    """What the process writes about a file."""
    import pypdfium2

    from service.pdf.find import find_abstract

    try:
        with open_pages(data) as pages:
            if not any(pages):
                return {"fault": "no-text"}
            found = find_abstract(pages)
    except pypdfium2.PdfiumError as exc:
        # PDFium also says so when it cannot make sense of a damaged file.
        locked = getattr(exc, "err_code", None) in _PASSWORD_ERRORS and b"/Encrypt" in data
        return {"fault": "encrypted" if locked else "damaged"}
    return {"fault": "no-abstract"} if found is None else asdict(found)


@contextmanager
def open_pages(data: bytes) -> Iterator[list[Sequence[Any]]]:
    """The lines of the pages among which an abstract is looked for. Raises pypdfium2.PdfiumError."""
    import pypdfium2

    from service.pdf.find import opening

    document = pypdfium2.PdfDocument(data)
    try:
        yield opening(_pages(document))
    finally:
        document.close()


def _pages(document: Any) -> Iterator[list[Any]]:
    import pypdfium2.raw

    from service.pdf.chars import read_chars
    from service.pdf.find import LEAST_PAGES
    from service.pdf.lines import make_lines

    started = time.process_time()
    for number in range(len(document)):
        if number >= LEAST_PAGES and time.process_time() - started > MORE_SECONDS:
            return
        page = document[number]
        text = page.get_textpage()
        yield make_lines(read_chars(pypdfium2.raw, text.raw))
        text.close()
        page.close()


if __name__ == "__main__":
    main()
