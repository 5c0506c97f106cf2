"""A paper as a PDF becomes an abstract."""

from service.errors import InvalidRequest
from service.pdf.errors import PdfWithoutAbstract
from service.pdf.extract import Read
from service.pdf.find import Found
from service.predicting.abstracts import Abstract, read_abstract


def read_paper(read: Read, data: bytes) -> tuple[Found, Abstract]:
    """What was found in a PDF, and the same by the rules of a text that is sent. Raises what `read` does."""
    found = read(data)
    try:
        return found, read_abstract(found.text)
    except InvalidRequest as exc:
        reason = " ".join(exc.errors["abstract"])
        raise PdfWithoutAbstract(f"What looks like the abstract will not do: {reason}") from exc
