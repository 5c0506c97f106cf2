"""The share of each primary label that a training set is drawn and a head calibrated toward."""

import json
from pathlib import Path

from model.errors import DataError


def read_mix(path: Path) -> dict[str, float]:
    """A JSON object {primary label: share}; DataError otherwise."""
    try:
        mix = {str(k): float(v) for k, v in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise DataError(f"{path}: not a JSON object of label: share: {exc}") from exc
    if not mix or min(mix.values()) < 0:
        raise DataError(f"{path}: shares must be 0 or more")
    return mix
