"""What every engine promises: one text's token ids in, one calibrated score a label out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Encoded(NamedTuple):
    """What a graph gave for a text: the scores of its own head, and the pooled vector [hidden] that any head reads."""

    scores: tuple[float, ...]
    features: "NDArray[np.float32]"


class Engine(ABC):
    """Runs one text at a time; not thread safe: its classifier lets one text in after the other."""

    @abstractmethod
    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """Scores of one text from its ids, [CLS] and [SEP] included; one float in 0..1 a label, in label order.

        EngineError when the engine fails or gives back anything else.
        """

    def run(self, ids: Sequence[int]) -> tuple[tuple[float, ...], Encoded | None]:
        """The scores, and in the same run what other heads can be given; None where the engine cannot tell it."""
        return self.scores(ids), None

    @abstractmethod
    def close(self) -> None:
        """Give back memory and connections; the engine cannot be used afterwards."""


class FeatureEngine(Engine):
    """An engine that also gives what its head reads, so that another head can be put on it."""

    @abstractmethod
    def encode(self, ids: Sequence[int]) -> Encoded:
        """What the graph gives for one text; EngineError as for scores, and when the graph gives no features."""

    def features(self, ids: Sequence[int]) -> "NDArray[np.float32]":
        """The pooled vector [hidden] alone."""
        return self.encode(ids).features
