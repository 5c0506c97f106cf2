"""Why there is no abstract from a file."""

from typing import Final

from service.errors import ServiceError
from service.pdf.languages import NAMES

_WAIT: Final = 10.0
"""Seconds; by then at least one file more has been read."""


class PdfError(ServiceError):
    """Base of what is wrong with a file; the message says what to do."""


class NotAPdf(PdfError):
    """The file is of another kind, or empty."""

    def __init__(self) -> None:
        super().__init__("not-a-pdf", "The file is not a PDF: it has no PDF header. Send the paper as a PDF.")


class PdfTooLarge(PdfError):
    """The file has more bytes than are read."""

    def __init__(self, message: str) -> None:
        super().__init__("pdf-too-large", message)


class PdfDamaged(PdfError):
    """The file says that it is a PDF, and cannot be read as one."""

    def __init__(self) -> None:
        super().__init__(
            "pdf-damaged", "The PDF is damaged or incomplete. Check that it opens in a viewer, and send it whole."
        )


class PdfEncrypted(PdfError):
    """The file needs a password."""

    def __init__(self) -> None:
        super().__init__(
            "pdf-encrypted", "The PDF is encrypted and needs a password. Remove the password and send it again."
        )


class PdfWithoutText(PdfError):
    """The pages have no characters, as scans have none."""

    def __init__(self) -> None:
        super().__init__(
            "pdf-without-text",
            "The first pages have no text layer, like a scan. Run text recognition, or send the abstract.",
        )


class PdfWithoutAbstract(PdfError):
    """There is text, and no abstract was recognised in it."""

    def __init__(self, reason: str = f"No abstract was found on the first pages, in {NAMES}.") -> None:
        super().__init__("pdf-without-abstract", f"{reason} Send the abstract's text to /api/predict/.")


class PdfTooDemanding(PdfError):
    """To read the file takes more time or memory than is allowed."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "pdf-too-demanding",
            f"To read the PDF takes more {what} than is allowed. Save it again, or send its abstract.",
        )


class PdfBusy(ServiceError):
    """Too many files wait to be read."""

    def __init__(self) -> None:
        super().__init__("pdf-busy", "Too many PDFs are being read. Try again a little later.", retry_after=_WAIT)


class PdfReaderFailed(ServiceError):
    """The process that reads files does not start; that is the service's fault. why: for its log."""

    def __init__(self, why: str) -> None:
        super().__init__("internal-error", f"The process that reads PDFs does not start: {why}.")
