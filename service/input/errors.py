"""What a whole file can be refused for."""

from typing import ClassVar

from service.errors import ServiceError, Slug
from service.input.encoding import scrubbed


class InputError(ServiceError):
    """A file of which nothing can be used. The message names the file, what it is, and the remedy.

    form: what it was taken for ("CSV", "a Word document"). remedy: what to do, a sentence.
    """

    kind: ClassVar[Slug]

    def __init__(self, form: str, problem: str, remedy: str, name: str = "") -> None:
        parts = (name and f"{name}:", problem, remedy)
        super().__init__(self.kind, scrubbed(" ".join(part for part in parts if part)))
        self.form = form
        self.problem = problem
        self.remedy = remedy
        self.name = name

    def within(self, name: str) -> "InputError":
        """The same about a file called `name`, or about what it holds."""
        return type(self)(self.form, self.problem, self.remedy, " ".join(filter(None, (name, self.name))))


class Unsupported(InputError):
    """It was recognised, and is of a form that is not read."""

    kind = "file-not-supported"


class Unusable(InputError):
    """It is of a form that is read, or of none; but it is damaged, too large, or there is no abstract in it."""

    kind = "file-not-usable"
