"""LiteRT (the TensorFlow Lite runtime) with XNNPACK: the engine of choice on CPUs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from model.engines.base import Engine
from model.errors import EngineError


class LiteRTEngine(Engine):
    """One interpreter over a graph with one dynamic input, ids [1, length], and the output scores [1, labels]."""

    def __init__(self, graph: Path, labels: int, threads: int) -> None:
        """EngineError when the graph cannot be loaded or has other inputs and outputs."""
        try:
            self._interpreter: Any = Interpreter(model_path=str(graph), num_threads=threads)
            (self._input,) = (detail["index"] for detail in self._interpreter.get_input_details())
            outputs = self._interpreter.get_signature_runner().get_output_details()
            self._output = outputs["scores"]["index"]
        except (ValueError, RuntimeError, KeyError) as exc:
            raise EngineError(f"{graph}: {exc}") from exc
        self._labels = labels
        self._length = 0

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """See Engine."""
        try:
            if len(ids) != self._length:
                self._length = 0
                self._interpreter.resize_tensor_input(self._input, [1, len(ids)], strict=True)
                self._interpreter.allocate_tensors()
                self._length = len(ids)
            self._interpreter.set_tensor(self._input, np.asarray([ids], np.int32))
            self._interpreter.invoke()
            scores = self._interpreter.get_tensor(self._output)
        except (ValueError, RuntimeError) as exc:
            raise EngineError(f"the graph failed on {len(ids)} tokens: {exc}") from exc
        if scores.shape != (1, self._labels) or not np.isfinite(scores).all():
            raise EngineError(f"the graph gave no finite score for each of {self._labels} labels")
        return tuple(scores[0].tolist())

    def close(self) -> None:
        """See Engine."""
        self._interpreter = None
