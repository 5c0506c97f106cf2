"""Answers: predictions and how they came about, and what clients may ask of them."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from model.classifier import Classification
from model.errors import Overloaded
from model.text.warnings import DETAILS
from service.errors import LimitExceeded, ServiceError
from service.predicting.models import ServedModel
from service.telemetry.metrics import Outcome, Source
from storage.records.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Directives:
    """What a client asks of the cache (RFC 9111, section 5.2.1). max_age: seconds."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: float | None = None


NO_DIRECTIVES = Directives()


class Answer(NamedTuple):
    """A prediction and how it came about.

    outcome: `hit` (memory or store), `miss` (this call ran the model) or `collapsed` (another call ran it).
    stored: whether the store has it now. age: seconds since it was computed. timings: seconds by stage. source: where
    it was found, `model` where it was not. run: what the model made of the text, if it ran. also: the answers of
    further models, or why there is none.
    """

    model: ServedModel
    prediction: Prediction
    outcome: Outcome
    stored: bool
    age: float
    timings: Mapping[str, float]
    source: Source = "model"
    run: Classification | None = None
    also: tuple["Answer | Exception", ...] = ()

    def parts(self) -> "list[Answer]":
        """It, and the answers of further models without those that are none."""
        return [self, *(item for item in self.also if isinstance(item, Answer))]

    def as_one(self) -> "Answer":
        """It, with what holds of it and of further models together: a hit if all are, stored if all are, the oldest."""
        parts = self.parts()
        if len(parts) == 1:
            return self
        outcomes = {part.outcome for part in parts}
        timings: dict[str, float] = {}
        for part in parts:
            for stage, seconds in part.timings.items():
                timings[stage] = timings.get(stage, 0.0) + seconds
        return self._replace(
            outcome="miss" if "miss" in outcomes else "collapsed" if "collapsed" in outcomes else "hit",
            stored=all(part.stored for part in parts),
            age=max(part.age for part in parts),
            timings=timings,
        )


def hits(
    model: ServedModel,
    found: Mapping[str, Prediction],
    directives: Directives,
    timings: Mapping[str, float],
    source: Source,
) -> dict[str, Answer]:
    """The answers from stored predictions, without those that are older than the client takes."""
    made = {key: hit(model, prediction, directives, timings, source) for key, prediction in found.items()}
    return {key: answer for key, answer in made.items() if answer is not None}


def hit(
    model: ServedModel, prediction: Prediction, directives: Directives, timings: Mapping[str, float], source: Source
) -> Answer | None:
    """The answer from a stored prediction; None if it is older than the client takes."""
    age = max(0.0, time.time() - prediction.created_at.timestamp())
    if directives.max_age is not None and age > directives.max_age:
        return None
    return Answer(model, prediction, "hit", True, age, timings, source)


def in_order(
    keys: Iterable[str | Exception], answers: Mapping[str, Answer | Exception]
) -> Iterator[Answer | Exception]:
    """The answers to `keys`; a second one to the same is `collapsed`. A key that is an error stays what it is."""
    seen = set()
    for key in keys:
        if isinstance(key, Exception):
            yield key
            continue
        answer = answers[key]
        if key in seen and isinstance(answer, Answer) and answer.outcome == "miss":
            answer = answer._replace(outcome="collapsed")
        yield answer
        seen.add(key)


def strictly(answer: Answer | Exception) -> Answer | Exception:
    """An error in place of an answer with warnings."""
    if not isinstance(answer, Answer) or not answer.prediction.warnings:
        return answer
    warnings = told(answer.prediction.warnings)
    details = " ".join(warning["detail"] for warning in warnings)
    return ServiceError("doubtful-abstract", details, members={"warnings": warnings})


def told(codes: Iterable[str]) -> list[dict[str, str]]:
    """Warnings as clients get them."""
    return [{"code": code, "detail": DETAILS.get(code, code)} for code in codes]


def refusal(answer: Answer | Exception) -> LimitExceeded | Overloaded | None:
    """What keeps the model from running, if that is what was met: it does so for other texts, too."""
    return answer if isinstance(answer, LimitExceeded | Overloaded) else None
