"""Arrays of numbers, and the functions that make scores of logits."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


def sigmoid(logits: Floats) -> Floats:
    """Element-wise logistic function, without overflow."""
    scores: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return scores


def softmax(logits: Floats) -> Floats:
    """Over the last axis, without overflow."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scores: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return scores


ACTIVATIONS: Final[Mapping[str, Callable[[Floats], Floats]]] = {"sigmoid": sigmoid, "softmax": softmax}
