"""A paper as a PDF becomes an abstract."""

from service.errors import InvalidRequest, ServiceError
from service.pdf.errors import PdfBusy, PdfWithoutAbstract
from service.pdf.extract import Extractor, Read
from service.pdf.find import Found
from service.predicting.abstracts import Abstract, read_abstract
from service.predicting.entries import Entry


def read_paper(read: Read, data: bytes) -> tuple[Found, Abstract]:
    """What was found in a PDF, and the same by the rules of a text that is sent. Raises what `read` does."""
    found = read(data)
    try:
        return found, read_abstract(found.text)
    except InvalidRequest as exc:
        reason = " ".join(exc.errors["abstract"])
        raise PdfWithoutAbstract(f"What looks like the abstract will not do: {reason}") from exc


def paper_entry(pdfs: Extractor, data: bytes, owner: str, input_id: str | None, patience: float) -> Entry:
    """A PDF of the `owner`, an API key's id, as one of several: with its abstract, or what is wrong with it.

    Raises PdfBusy if it is not its turn within `patience` seconds.
    """
    try:
        with pdfs.reader(owner, patience) as read:
            found, abstract = read_paper(read, data)
    except PdfBusy:
        raise
    except ServiceError as exc:
        return Entry(exc, input_id)
    return Entry(abstract, input_id, found=found.members())
