"""One of several abstracts, as lists, jobs and files bring them: with an id of its own, and wishes of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import EXCLUDE

from service.errors import InvalidRequest
from service.input.item import Item
from service.predicting.abstracts import Abstract, abstract_or_error
from service.predicting.answers import Answer
from service.predicting.models import Models
from service.predicting.predictor import Others
from service.predicting.rendering import RenderOptions, render_item
from service.predicting.requests import EntryRequest, load


@dataclass(frozen=True, slots=True)
class Entry:
    """An abstract, or what is wrong with it.

    input_id: its id where it comes from; it stands in the answer. threshold, top_k, also: its own, None without.
    place: where it stands in a file, as members of its problem. found: what its answer says of where it was found.
    """

    abstract: Abstract | Exception
    input_id: str | None = None
    threshold: float | None = None
    top_k: int | None = None
    place: Mapping[str, Any] = field(default_factory=dict)
    also: Sequence[str] | None = None
    found: Mapping[str, Any] = field(default_factory=dict)

    def others(self, models: Models, default: Sequence[str]) -> Others:
        """The further models that it is for; those of its list if it names none itself."""
        return models.several(default if self.also is None else self.also)

    def render(
        self, answer: Answer | Exception, defaults: RenderOptions, more: Mapping[str, Any] | None = None
    ) -> bytes:
        """The JSON object that stands for it: its answer, or a `problem`; its own wishes win over `defaults`.

        `more` are members that only this one has.
        """
        threshold = defaults.threshold if self.threshold is None else self.threshold
        top_k = defaults.top_k if self.top_k is None else self.top_k
        own = {} if self.input_id is None else {"input_id": self.input_id}
        return render_item(answer, RenderOptions(threshold, top_k), {**own, **self.found, **(more or {})}, self.place)


def listed_entry(value: object) -> Entry:
    """What an element of a JSON list is: a text, or an object like that of a single request, which may have an `id`."""
    if not isinstance(value, Mapping):
        return Entry(abstract_or_error(value))
    try:
        asked = load(EntryRequest(), value)
    except InvalidRequest as error:
        id = value.get("id")
        return Entry(error, str(id) if isinstance(id, str | int) and "id" not in error.errors else None)
    return _entry(asked, asked.get("id"))


def file_entry(item: Item) -> Entry:
    """What a record of a file is, if it is no paper."""
    place = {"place": item.place} | ({} if item.line is None else {"line": item.line})
    if item.problem is not None:
        return Entry(InvalidRequest({"abstract": [item.problem]}), item.input_id, place=place)
    try:
        asked = load(EntryRequest(unknown=EXCLUDE), {"abstract": item.abstract, **item.wishes})
    except InvalidRequest as error:
        return Entry(error, item.input_id, place=place)
    return _entry(asked, item.input_id, place)


def _entry(asked: Mapping[str, Any], input_id: str | None, place: Mapping[str, Any] | None = None) -> Entry:
    wishes: dict[str, Any] = {name: asked.get(name) for name in ("threshold", "top_k", "also")}
    return Entry(asked["abstract"], input_id, place=place or {}, **wishes)
