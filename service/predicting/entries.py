"""One of several abstracts, as lists, jobs and files bring them: with an id of its own, and wishes of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import EXCLUDE

from service.errors import InvalidRequest
from service.input.item import Item
from service.predicting.abstracts import Abstract, abstract_or_error
from service.predicting.predictor import Answer
from service.predicting.rendering import RenderOptions, render_item
from service.predicting.requests import EntryRequest, load


@dataclass(frozen=True, slots=True)
class Entry:
    """An abstract, or what is wrong with it.

    input_id: its id where it comes from; it stands in the answer. threshold, top_k: its own, None without.
    place: where it stands in a file, as members of its problem.
    """

    abstract: Abstract | Exception
    input_id: str | None = None
    threshold: float | None = None
    top_k: int | None = None
    place: Mapping[str, Any] = field(default_factory=dict)

    def render(
        self, answer: Answer | Exception, defaults: RenderOptions, more: Mapping[str, Any] | None = None
    ) -> bytes:
        """The JSON object that stands for it: its answer, or a `problem`; its own wishes win over `defaults`.

        `more` are members that only this one has.
        """
        threshold = defaults.threshold if self.threshold is None else self.threshold
        top_k = defaults.top_k if self.top_k is None else self.top_k
        own = {} if self.input_id is None else {"input_id": self.input_id}
        return render_item(answer, RenderOptions(threshold, top_k), {**own, **(more or {})}, self.place)


def listed_entry(value: object) -> Entry:
    """What an element of a JSON list is: a text, or an object like that of a single request, which may have an `id`."""
    if not isinstance(value, Mapping):
        return Entry(abstract_or_error(value))
    try:
        asked = load(EntryRequest(), value)
    except InvalidRequest as error:
        id = value.get("id")
        return Entry(error, str(id) if isinstance(id, str | int) and "id" not in error.errors else None)
    return Entry(asked["abstract"], asked.get("id"), asked.get("threshold"), asked.get("top_k"))


def file_entry(item: Item) -> Entry:
    """What a record of a file is, if it is no paper."""
    place = {"place": item.place} | ({} if item.line is None else {"line": item.line})
    if item.problem is not None:
        return Entry(InvalidRequest({"abstract": [item.problem]}), item.input_id, place=place)
    try:
        asked = load(EntryRequest(unknown=EXCLUDE), {"abstract": item.abstract, **item.wishes})
    except InvalidRequest as error:
        return Entry(error, item.input_id, place=place)
    return Entry(asked["abstract"], item.input_id, asked.get("threshold"), asked.get("top_k"), place)
