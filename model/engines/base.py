"""What every engine promises: one text's token ids in, one calibrated score a label out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Engine(ABC):
    """Runs one text at a time; not thread safe: each worker thread owns an engine."""

    @abstractmethod
    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """Scores of one text from its ids, [CLS] and [SEP] included; one float in 0..1 a label, in label order.

        EngineError when the engine fails or gives back anything else.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back memory and connections; the engine cannot be used afterwards."""
