"""LiteRT (the TensorFlow Lite runtime) with XNNPACK: the engine of choice on CPUs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from model.arrays import Floats
from model.engines.base import Encoded, FeatureEngine
from model.engines.checks import checked_scores
from model.errors import EngineError


class LiteRTEngine(FeatureEngine):
    """One interpreter over a graph with one dynamic input, ids [1, length], and the output scores [1, labels]."""

    def __init__(self, graph: Path, labels: int, threads: int) -> None:
        """EngineError when the graph cannot be loaded or has other inputs and outputs."""
        try:
            self._interpreter: Any = Interpreter(model_path=str(graph), num_threads=threads)
            (self._input,) = (detail["index"] for detail in self._interpreter.get_input_details())
            outputs = self._interpreter.get_signature_runner().get_output_details()
            self._scores = outputs["scores"]["index"]
            self._features = outputs["features"]["index"] if "features" in outputs else None
        except (ValueError, RuntimeError, KeyError) as exc:
            raise EngineError(f"{graph}: {exc}") from exc
        self._labels = labels
        self._length = 0

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """See Engine."""
        self._invoke(ids)
        return checked_scores(self._interpreter.get_tensor(self._scores), self._labels)

    def run(self, ids: Sequence[int]) -> tuple[tuple[float, ...], Encoded | None]:
        """See Engine."""
        if self._features is None:
            return self.scores(ids), None
        encoded = self.encode(ids)
        return encoded.scores, encoded

    def encode(self, ids: Sequence[int]) -> Encoded:
        """See FeatureEngine."""
        if self._features is None:
            raise EngineError("the graph gives no features: build the artifact again")
        scores = self.scores(ids)
        features: Floats = self._interpreter.get_tensor(self._features)[0]
        if not np.isfinite(features).all():
            raise EngineError("the graph gave features that are not finite")
        return Encoded(scores, features)

    def close(self) -> None:
        """See Engine."""
        self._interpreter = None

    def _invoke(self, ids: Sequence[int]) -> None:
        try:
            if len(ids) != self._length:
                self._length = 0
                self._interpreter.resize_tensor_input(self._input, [1, len(ids)], strict=True)
                self._interpreter.allocate_tensors()
                self._length = len(ids)
            self._interpreter.set_tensor(self._input, np.asarray([ids], np.int32))
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as exc:
            raise EngineError(f"the graph failed on {len(ids)} tokens: {exc}") from exc
