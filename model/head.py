"""A linear head on pooled features, in NumPy: what an artifact holds that shares another one's encoder."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.errors import ArtifactError
from model.training.calibrate import Calibration, sigmoid

Floats = np.ndarray[Any, np.dtype[np.float32]]

MAX_BYTES: Final = 64 << 20
"""Of a head's arrays: 4096 features by 4000 labels."""


def softmax(logits: Floats) -> Floats:
    """Over the last axis, without overflow."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scores: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return scores


ACTIVATIONS: Final[Mapping[str, Any]] = {"sigmoid": sigmoid, "softmax": softmax}


@dataclass(frozen=True, slots=True)
class Head:
    """Kernel [hidden, labels] and bias [labels]."""

    kernel: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """[rows, hidden] -> [rows, labels]."""
        return features @ self.kernel + self.bias

    def calibrated(self, calibration: Calibration) -> "Head":
        """The head whose logits are this one's, calibrated."""
        scale, offset = (np.asarray(part, np.float32) for part in (calibration.scale, calibration.offset))
        return Head(self.kernel * scale, self.bias * scale + offset)


def save_head(path: Path, head: Head) -> None:
    """Write kernel and bias in NumPy's .npz form."""
    with path.open("wb") as file:
        np.savez(file, kernel=head.kernel.astype("<f4"), bias=head.bias.astype("<f4"))


def load_head(path: Path, labels: int) -> Head:
    """Read what `save_head` wrote; ArtifactError unless it is a finite head of that many labels."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise ArtifactError(f"{path}: larger than any head")
        with np.load(path, allow_pickle=False) as arrays:
            kernel, bias = arrays["kernel"], arrays["bias"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise ArtifactError(f"{path}: not a head: {exc}") from exc
    if kernel.ndim != 2 or kernel.shape[1] != labels or bias.shape != (labels,):
        raise ArtifactError(f"{path}: kernel {list(kernel.shape)} and bias {list(bias.shape)} for {labels} labels")
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ArtifactError(f"{path}: the head holds NaN or infinity")
    return Head(kernel.astype(np.float32), bias.astype(np.float32))
