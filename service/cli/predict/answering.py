"""A record of a file becomes a line of output."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from model.errors import ModelError
from service.bootstrap import Services
from service.errors import ServiceError
from service.input.item import Item
from service.predicting.entries import Entry, file_entry
from service.predicting.rendering import RenderOptions

if TYPE_CHECKING:
    from service.predicting.answers import Answer
    from service.predicting.models import ServedModel

Outcome = Literal["hit", "miss", "problem", "skipped"]


class Line(NamedTuple):
    """A JSON object, and what it is."""

    body: bytes
    outcome: Outcome


class Answerer:
    """Answers abstracts and papers by one model, and `also` by others."""

    def __init__(
        self, opened: Services, model: "ServedModel", also: Sequence[str], options: RenderOptions, *, strict: bool
    ) -> None:
        self._opened = opened
        self._model = model
        self._also = also
        self._options = options
        self._strict = strict

    def answer(self, item: Item, more: Mapping[str, Any]) -> Line:
        """The answer to an item, or its problem, with `more` members."""
        entry, found = (file_entry(item), {}) if item.pdf is None else self._paper(item, item.pdf)
        answer: Answer | Exception
        try:
            if isinstance(entry.abstract, Exception):
                raise entry.abstract
            others = entry.others(self._opened.models, self._also)
            answer = self._opened.predictor.predict_one(self._model, entry.abstract, strict=self._strict, also=others)
        except (ModelError, ServiceError) as exc:
            answer = exc
        outcome: Outcome = "problem" if isinstance(answer, Exception) else "hit" if answer.outcome == "hit" else "miss"
        return Line(entry.render(answer, self._options, {**found, **more}), outcome)

    def _paper(self, item: Item, pdf: bytes) -> tuple[Entry, dict[str, Any]]:
        """The abstract of a paper, or what is wrong with it, and what its answer says besides the prediction."""
        from service.predicting.papers import read_paper

        try:
            found, abstract = read_paper(self._opened.pdfs.extract, pdf)
        except ServiceError as exc:
            return Entry(exc, place={"place": item.place}), {}
        return Entry(abstract), found.members()
