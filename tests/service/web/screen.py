"""The page as its users see it."""

import json
from typing import Any

from tests.service.waiting import until
from tests.service.web.browser import Page

QUICK = (
    "const real = window.setTimeout; window.setTimeout = (work, after, ...rest) => real(work, after / 100, ...rest);"
)
"""Makes the page's waits, such as that for a slow answer, a hundred times shorter."""


class Screen:
    """A page, asked by the ids of its elements."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    def open(self) -> "Screen":
        """Loads the page anew."""
        self.page.visit(self.address)
        return self

    def get(self, id: str, what: str = "textContent") -> Any:
        """A property of an element."""
        return self.page.run(f"document.getElementById({json.dumps(id)}).{what}")

    def all(self, selector: str, what: str = "innerText") -> list[Any]:
        """A property of all elements that a selector finds."""
        found: list[Any] = self.page.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.{what})")
        return found

    def fill(self, id: str, value: str) -> None:
        """Puts a value into a field, as if somebody had typed it and left the field."""
        self.page.run(
            f"{{ const field = document.getElementById({json.dumps(id)}); field.value = {json.dumps(value)};"
            "['input', 'change'].forEach((kind) => field.dispatchEvent(new Event(kind, { bubbles: true }))); }"
        )

    def click(self, id: str) -> None:
        self.page.run(f"document.getElementById({json.dumps(id)}).click()")

    def press_on(self, selector: str) -> None:
        """Clicks on the first element that a selector finds, once there is one."""
        until(lambda: self.all(selector))
        self.page.run(f"document.querySelector({json.dumps(selector)}).click()")

    @property
    def status(self) -> str:
        """What is announced."""
        return str(self.get("status"))

    def says(self, part: str) -> str:
        """Waits until this is announced, and returns all that is."""
        until(lambda: part in self.status)
        return self.status

    def classify(self, key: str, abstract: str) -> str:
        """Fills in the form, sends it, and returns what is announced in the end."""
        self.fill("key", key)
        self.fill("abstract", abstract)
        self.click("send")
        self.finished()
        return self.status

    def finished(self) -> None:
        """Waits until no work goes on."""
        until(lambda: self.get("send", "ariaDisabled") is None)
