"""What a trained checkpoint's folder says besides its weights: classifier.json and seen.txt."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from model.artifact import Activation, Pooling
from model.engines.head import Calibration
from model.errors import CheckpointError

RECORD = "classifier.json"
SEEN = "seen.txt"


@dataclass(frozen=True, slots=True)
class Record:
    """What classifier.json says; the fields are those of the artifact's manifest."""

    labels: tuple[str, ...]
    activation: Activation
    pooling: Pooling
    calibration: Calibration
    threshold: float
    max_tokens: int
    checkpoint: Mapping[str, Any]
    training: Mapping[str, Any]
    scores: Mapping[str, Any]
    licence: str
    created: str
    trained: bool = True


def write_record(record: Record, folder: Path) -> None:
    """Write classifier.json."""
    (folder / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", "utf-8")


def read_record(folder: Path) -> Record:
    """classifier.json of a trained folder; CheckpointError when it is missing or of another form."""
    try:
        value = json.loads((folder / RECORD).read_text("utf-8"))
        value["labels"] = tuple(value["labels"])
        value["calibration"] = Calibration(**{k: tuple(v) for k, v in value["calibration"].items()})
        record = Record(**value)
    except FileNotFoundError as exc:
        raise CheckpointError(f"{folder} has no {RECORD}: it is no trained checkpoint") from exc
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise CheckpointError(f"{folder / RECORD}: {exc!r}") from exc
    if not _is_whole(record):
        raise CheckpointError(f"{folder / RECORD}: its fields do not go together as a classifier's do")
    return record


def _is_whole(record: Record) -> bool:
    labels, scale, offset = record.labels, record.calibration.scale, record.calibration.offset
    numbers = (*scale, *offset, record.threshold)
    return (
        all(isinstance(label, str) for label in labels)
        and len(labels) == len(set(labels)) == len(scale) == len(offset) >= 2
        and all(type(number) in (int, float) and abs(number) < math.inf for number in numbers)
        and type(record.max_tokens) is int
        and record.activation in get_args(Activation)
        and record.pooling in get_args(Pooling)
        and all(isinstance(part, dict) for part in (record.checkpoint, record.training, record.scores))
        and all(isinstance(text, str) for text in (record.licence, record.created))
        and isinstance(record.trained, bool)
    )


def read_seen(folder: Path) -> set[str]:
    """Ids of the rows that the weights in `folder` were trained on; none for a checkpoint from elsewhere."""
    path = folder / SEEN
    return set(path.read_text("utf-8").splitlines()) if path.is_file() else set()
