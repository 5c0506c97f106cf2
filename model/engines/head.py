"""A linear head of its own on the features of another artifact's graph, in NumPy."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from model.arrays import ACTIVATIONS, Floats
from model.engines.base import Engine, FeatureEngine
from model.engines.checks import checked_scores
from model.errors import ArtifactError, EngineError

MAX_BYTES: Final = 64 << 20
"""Of a head's arrays: 4096 features by 4000 labels."""
_DAMAGES: Final = (OSError, ValueError, TypeError, LookupError, RuntimeError, EOFError, MemoryError)
"""What zipfile and NumPy raise over a file that is none of theirs."""


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Kernel [hidden, labels] and bias [labels]."""

    kernel: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """[rows, hidden] -> [rows, labels]."""
        return features @ self.kernel + self.bias

    def to_bytes(self) -> bytes:
        """In NumPy's .npz form, as `load_head` reads it."""
        data = BytesIO()
        np.savez(data, kernel=self.kernel.astype("<f4"), bias=self.bias.astype("<f4"))
        return data.getvalue()


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per-label affine map of logits in front of the activation: `logits * scale + offset`."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @classmethod
    def identity(cls, labels: int) -> "Calibration":
        """The map that changes nothing."""
        return cls((1.0,) * labels, (0.0,) * labels)

    def fold(self, head: LinearHead) -> LinearHead:
        """The head whose logits are this one's, calibrated."""
        scale, offset = (np.asarray(part, np.float32) for part in (self.scale, self.offset))
        return LinearHead(head.kernel * scale, head.bias * scale + offset)

    def apply(self, logits: Floats) -> Floats:
        """[rows, labels] -> the same shape, still logits."""
        scaled: Floats = logits * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)
        return scaled


class HeadEngine(Engine):
    """Owns the encoder's engine, and closes it."""

    def __init__(self, encoder: FeatureEngine, head: LinearHead, activation: str) -> None:
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


def load_head(path: Path, labels: int) -> LinearHead:
    """Read head.npz; ArtifactError unless it is a finite head of that many labels."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise ArtifactError(f"{path}: larger than any head")
        with np.load(path, allow_pickle=False) as arrays:
            kernel, bias = (np.asarray(arrays[name], np.float32) for name in ("kernel", "bias"))
    except (*_DAMAGES, zipfile.BadZipFile, zlib.error) as exc:
        raise ArtifactError(f"{path}: not a head: {exc}") from exc
    if kernel.ndim != 2 or kernel.shape[1] != labels or bias.shape != (labels,):
        raise ArtifactError(f"{path}: kernel {list(kernel.shape)} and bias {list(bias.shape)} for {labels} labels")
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ArtifactError(f"{path}: the head holds NaN or infinity")
    return LinearHead(kernel, bias)
