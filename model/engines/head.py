"""A head of its own on the features of another artifact's graph, in NumPy."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.arrays import ACTIVATIONS, Floats
from model.artifact import HEAD, Artifact
from model.engines.base import Encoded, Engine, FeatureEngine
from model.engines.checks import checked_scores
from model.errors import ArtifactError, EngineError
from model.labels import Groups

Places = np.ndarray[Any, np.dtype[np.intp]]

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


class Head:
    """What makes scores of what another artifact's graph gave."""

    def __init__(self, linear: LinearHead, activation: str, ceilings: Places | None = None) -> None:
        """`ceilings` [2, labels]: places, in the head's scores and then the graph's own, of what none may exceed."""
        self._linear = linear
        self._activation = ACTIVATIONS[activation]
        self._ceilings = ceilings

    def scores(self, encoded: Encoded) -> tuple[float, ...]:
        """One float in 0..1 a label. EngineError if the head reads something else than the features."""
        hidden, labels = self._linear.kernel.shape
        if encoded.features.shape != (hidden,):
            raise EngineError(f"the head reads {hidden} features, the encoder gave {encoded.features.shape}")
        scores = self._activation(self._linear.logits(encoded.features[None]))
        if self._ceilings is not None:
            above = np.concatenate([scores[0], np.asarray(encoded.scores, scores.dtype)])
            scores = np.minimum(scores, above[self._ceilings].min(0))
        return checked_scores(scores, labels)


class HeadEngine(Engine):
    """Owns the encoder's engine, and closes it."""

    def __init__(self, encoder: FeatureEngine, head: Head) -> None:
        self._encoder = encoder
        self._head = head

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """See Engine."""
        return self.run(ids)[0]

    def run(self, ids: Sequence[int]) -> tuple[tuple[float, ...], Encoded | None]:
        """See Engine."""
        encoded = self._encoder.encode(ids)
        return self._head.scores(encoded), encoded

    def close(self) -> None:
        """See Engine."""
        self._encoder.close()


def open_head(artifact: Artifact) -> Head:
    """The head of an artifact that shares an encoder. ArtifactError as for load_head."""
    manifest = artifact.manifest
    linear = load_head(artifact.path / HEAD, len(manifest.labels))
    shared = artifact.encoder.manifest.labels if artifact.encoder else ()
    return Head(
        linear, manifest.activation, ceilings(manifest.labels, manifest.groups, shared) if manifest.bounds else None
    )


def ceilings(labels: Sequence[str], groups: Groups, shared: Sequence[str]) -> Places:
    """Where, for each label, its group stands among the `labels`, and among those and then the `shared` ones.

    A label without a group there is its own ceiling. The score of a group is then never below those of its labels,
    whichever of the two models is asked for it.
    """
    own = {label: place for place, label in enumerate(labels)}
    others = {label: place for place, label in enumerate(shared, len(labels))}
    found = [[places.get(groups.get(label, ""), own[label]) for label in labels] for places in (own, others)]
    return np.array(found, np.intp)


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
