"""A prediction, made ready to be sent: what does not depend on the request is rendered once."""

import json
from dataclasses import dataclass
from datetime import datetime

from storage.records.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Record:
    """A prediction with its labels, ranked and rendered.

    created: unix seconds. head: the JSON object up to and including `"categories": [`.
    categories: (score, rendered JSON object), best first; scores have 7 significant digits, what float32 can carry.
    """

    id: str
    created: float
    expires_at: datetime | None
    threshold: float
    head: bytes
    categories: tuple[tuple[float, bytes], ...]


def make_record(prediction: Prediction, labels: tuple[str, ...], threshold: float) -> Record:
    """`threshold` is the model's own operating point, used where a request names none."""
    scores = [float(f"{score:.7g}") for score in prediction.scores]
    head = {
        "id": prediction.id,
        "model": prediction.model,
        "model_digest": prediction.digest,
        "labels": labels,
        "predictions": [scores],
    }
    ranked = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])
    return Record(
        prediction.id,
        prediction.created_at.timestamp(),
        prediction.expires_at,
        threshold,
        json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "categories": [',
        tuple((score, _category(label, score)) for score, label in ranked),
    )


def _category(label: str, score: float) -> bytes:
    return json.dumps({"label": label, "score": score}, ensure_ascii=False).encode()


def render(record: Record, *, cached: bool, threshold: float | None = None, top_k: int | None = None) -> bytes:
    """The response body: categories at or above the threshold, best first, at most `top_k`."""
    if threshold is None:
        threshold = record.threshold
    chosen = [category for score, category in record.categories if score >= threshold]
    return b"".join(
        (record.head, b", ".join(chosen[:top_k]), b'], "cached": true}' if cached else b'], "cached": false}')
    )
