"""The record of a prediction and its stored form."""

import math
from dataclasses import dataclass
from datetime import datetime

from storage.errors import Corrupt
from storage.records.documents import Document, to_moment, to_moment_or_none, to_text


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model said about one text.

    id: SHA-256 in hex, the cache key. digest: of the artifact. scores: one a label, raw, in the artifact's order.
    The moments have a time zone; expires_at None means never. abstract: the text, only if it is to be kept.
    """

    id: str
    model: str
    digest: str
    scores: tuple[float, ...]
    created_at: datetime
    expires_at: datetime | None
    abstract: str | None


def to_document(prediction: Prediction) -> Document:
    """What is stored; the id is in the entry's key."""
    document: Document = {
        "model": prediction.model,
        "digest": prediction.digest,
        "scores": prediction.scores,
        "created_at": to_text(prediction.created_at),
        "expires_at": to_text(prediction.expires_at),
    }
    if prediction.abstract is not None:
        document["abstract"] = prediction.abstract
    return document


def from_document(id: str, document: Document) -> Prediction:
    """What to_document stored; Corrupt if it is something else, or a score is not finite."""
    model, digest, abstract = document.get("model"), document.get("digest"), document.get("abstract")
    if not isinstance(model, str) or not isinstance(digest, str) or not isinstance(abstract, str | None):
        raise Corrupt("a field is missing or of the wrong kind")
    scores = document.get("scores")
    if not isinstance(scores, list) or not scores:
        raise Corrupt("there are no scores")
    if not all(type(score) in (float, int) and math.isfinite(score) for score in scores):
        raise Corrupt("a score is not a finite number")
    created_at = to_moment(document.get("created_at"))
    expires_at = to_moment_or_none(document.get("expires_at"))
    return Prediction(id, model, digest, tuple(map(float, scores)), created_at, expires_at, abstract)
