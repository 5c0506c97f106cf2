"""A head of its own on the features of another artifact's graph."""

from collections.abc import Sequence

from model.engines.base import Engine, FeatureEngine
from model.engines.checks import checked_scores
from model.errors import EngineError
from model.head import ACTIVATIONS, Head


class HeadEngine(Engine):
    """Owns the encoder's engine, and closes it."""

    def __init__(self, encoder: FeatureEngine, head: Head, activation: str) -> None:
        self._encoder = encoder
        self._head = head
        self._activation = ACTIVATIONS[activation]

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """See Engine."""
        features = self._encoder.features(ids)
        if features.shape != self._head.kernel.shape[:1]:
            raise EngineError(
                f"the head reads {self._head.kernel.shape[0]} features, the encoder gave {features.shape}"
            )
        logits = self._head.logits(features[None])
        return checked_scores(self._activation(logits), len(self._head.bias))

    def close(self) -> None:
        """See Engine."""
        self._encoder.close()
