"""Reads the tensors of a pretrained checkpoint and accounts for every one of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import CheckpointError

Array = np.ndarray[Any, np.dtype[np.float32]]

# Buffers and the heads of pretraining tasks, which no classifier reads.
_NOT_PARAMETERS = ("embeddings.position_ids", "cls.predictions.", "cls.seq_relationship.")


class Tensors:
    """The named tensors of one checkpoint, each to be taken exactly once.

    Names are those of Hugging Face's BertModel; linear kernels are stored as [out, in].
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._left = dict(tensors)
        self._all = frozenset(tensors)
        self._faults: list[str] = []

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """The tensor in float32. A fault is noted, zeros stand in, and `finish` raises for all faults at once."""
        value = self._left.pop(name, None)
        if value is None:
            self._faults.append(f"missing {name}")
        elif value.shape != shape:
            self._faults.append(f"{name} is {list(value.shape)}, not {list(shape)}")
        elif not np.isfinite(value).all():
            self._faults.append(f"{name} holds NaN or infinity")
        else:
            return value.astype(np.float32)
        return np.zeros(shape, np.float32)

    def linear(self, prefix: str, inputs: int, outputs: int) -> tuple[Array, Array]:
        """Kernel [in, out] and bias [out] of a linear layer."""
        kernel = self.take(f"{prefix}.weight", (outputs, inputs))
        return np.ascontiguousarray(kernel.T), self.take(f"{prefix}.bias", (outputs,))

    def finish(self, unused: Iterable[str] = ()) -> None:
        """Raise CheckpointError naming every missing, misshapen or left-over tensor.

        `unused` names prefixes that this use of the checkpoint leaves out knowingly.
        """
        known = (*_NOT_PARAMETERS, *unused)
        extra = [n for n in self._left if not n.removeprefix("bert.").startswith(known)]
        faults = self._faults + [f"left over {n}" for n in sorted(extra)]
        if faults:
            raise CheckpointError(f"{len(faults)} faulty tensors: {'; '.join(faults)}")

    def __contains__(self, name: str) -> bool:
        return name in self._all


class Checkpoint:
    """A folder with config.json, vocab.txt or tokenizer.json, and model.safetensors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = _read_json(path / "config.json")
        self.weights = path / "model.safetensors"
        if not self.weights.is_file():
            raise CheckpointError(f"{path}: no model.safetensors")

    def tensors(self) -> Tensors:
        """All tensors, read into memory."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return Tensors(load_file(self.weights))
        except (SafetensorError, OSError) as exc:
            raise CheckpointError(f"{self.weights}: {exc}") from exc

    @property
    def prefix(self) -> str:
        """What precedes the encoder's tensor names: `bert.` in a fine-tuned classifier, nothing in a bare encoder."""
        return "bert." if any(a.startswith("BertFor") for a in self.config.get("architectures", [])) else ""

    def digest(self) -> str:
        """`sha256:` and the hexadecimal SHA-256 of the weights file."""
        with self.weights.open("rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise CheckpointError(f"{path}: {exc}") from exc
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return value
