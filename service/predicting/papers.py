"""A paper as a PDF becomes an abstract."""

from service.errors import InvalidRequest
from service.pdf.errors import PdfWithoutAbstract
from service.pdf.extract import Extractor
from service.pdf.find import Found
from service.predicting.abstracts import Abstract, read_abstract


def read_paper(pdfs: Extractor, data: bytes) -> tuple[Found, Abstract]:
    """What was found in a PDF, and the same by the rules of a text that is sent. Raises a PdfError or PdfBusy."""
    found = pdfs.extract(data)
    try:
        return found, read_abstract(found.text)
    except InvalidRequest as exc:
        reason = " ".join(exc.errors["abstract"])
        raise PdfWithoutAbstract(f"What looks like the abstract will not do: {reason}") from exc
