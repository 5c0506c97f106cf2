"""What engines check before they hand on what a graph gave."""

from typing import Any

import numpy as np

from model.errors import EngineError


def checked_scores(scores: Any, labels: int) -> tuple[float, ...]:
    """One row of scores [1, labels] as a tuple; EngineError unless there is a finite one a label."""
    array = np.asarray(scores)
    if array.shape != (1, labels) or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise EngineError(f"the graph gave no finite score for each of {labels} labels")
    return tuple(array[0].tolist())
