"""An exported SavedModel run by TensorFlow in this process, in float32: the reference for the other engines.

Needs the `train` extra (TensorFlow).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.engines.base import Engine
from model.engines.checks import checked_scores
from model.errors import EngineError


class SavedModelEngine(Engine):
    """The `serving_default` signature of a SavedModel: ids [1, length] -> scores [1, labels]."""

    def __init__(self, folder: Path, labels: int) -> None:
        """`folder`: one version of an export. EngineError when it cannot be loaded or has another signature."""
        import tensorflow as tf

        self._constant = tf.constant
        self._int32 = tf.int32
        self._failures = (tf.errors.OpError, ValueError, TypeError, KeyError)
        self._labels = labels
        try:
            self._module: Any = tf.saved_model.load(str(folder))
            self._serve: Any = self._module.signatures["serving_default"]
        except (*self._failures, OSError, AttributeError) as exc:
            raise EngineError(f"{folder}: {exc}") from exc

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """See Engine."""
        if not ids:
            raise EngineError("there are no tokens")
        try:
            scores = self._serve(ids=self._constant([list(ids)], self._int32))["scores"].numpy()
        except self._failures as exc:
            raise EngineError(f"the model failed on {len(ids)} tokens: {exc}") from exc
        return checked_scores(scores, self._labels)

    def close(self) -> None:
        """See Engine."""
        self._module = self._serve = None
