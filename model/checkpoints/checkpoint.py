"""Reads the tensors of a pretrained checkpoint and accounts for every one of them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model.arrays import Array
from model.artifact import sha256_of
from model.checkpoints.formats.google import ckpt_files, find_ckpt, read_ckpt
from model.checkpoints.formats.pytorch import read_pytorch
from model.errors import CheckpointError

SOURCE = "source.json"
"""Where a pulled or imported checkpoint came from."""

CONFIGS = ("config.json", "bert_config.json")

_FIRST = "embeddings.word_embeddings.weight"

# Checkpoints that were first made with TensorFlow still call a layer norm's parameters by its names for them.
_HISTORIC = re.compile(r"(?<=\.LayerNorm\.)(?:gamma|beta)$")
_TODAY = {"gamma": "weight", "beta": "bias"}

# Buffers and the heads of pretraining tasks, which no classifier reads.
_NOT_PARAMETERS = ("embeddings.position_ids", "cls.predictions.", "cls.seq_relationship.")


class Tensors:
    """The named tensors of one checkpoint, each to be taken exactly once.

    Names are those of Hugging Face's BertModel; linear kernels are stored as [out, in].
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._left = {_HISTORIC.sub(lambda m: _TODAY[m[0]], name): value for name, value in tensors.items()}
        self._all = frozenset(self._left)
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

    def __len__(self) -> int:
        return len(self._all)

    @property
    def prefix(self) -> str:
        """What precedes the encoder's names: `bert.` where there is or was a head on it, nothing in a bare encoder."""
        return "bert." if f"bert.{_FIRST}" in self._all else ""


class Checkpoint:
    """A folder with config.json (or bert_config.json), vocab.txt or tokenizer.json, and weights in one of three forms.

    Taken is the first of: model.safetensors, pytorch_model.bin, a TensorFlow checkpoint (*.ckpt.index).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = _read_json(next((path / n for n in CONFIGS if (path / n).is_file()), path / CONFIGS[0]))
        self.weights, self._read = _find_weights(path)

    def tensors(self) -> Tensors:
        """All tensors, read into memory."""
        return Tensors(self._read())

    def digest(self) -> str:
        """`sha256:` and the hexadecimal SHA-256 of the weights file; of several, over them one after the other."""
        return f"sha256:{sha256_of(*self.weights)}"

    def provenance(self) -> dict[str, Any]:
        """What a manifest says of it: where it came from, as far as its folder tells, and its digest."""
        source = _read_json(self.path / SOURCE) if (self.path / SOURCE).is_file() else {}
        known = {key: source[key] for key in ("repository", "revision", "licence") if source.get(key)}
        name = known.get("repository") or self.path.name
        return {"name": name, "digest": self.digest(), **known}


def _find_weights(folder: Path) -> tuple[list[Path], Callable[[], dict[str, Array]]]:
    """The files that hold the weights, and what reads them."""
    if (path := folder / "model.safetensors").is_file():
        return [path], lambda: _read_safetensors(path)
    if (binary := folder / "pytorch_model.bin").is_file():
        return [binary], lambda: read_pytorch(binary)
    if (prefix := find_ckpt(folder)) is not None:
        return ckpt_files(prefix), lambda: read_ckpt(prefix)
    raise CheckpointError(f"{folder}: no model.safetensors, pytorch_model.bin or *.ckpt.index")


def _read_safetensors(path: Path) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as exc:
        raise CheckpointError(f"{path}: {exc}") from exc
    except KeyError as exc:
        raise CheckpointError(f"{path}: elements of type {exc} are not supported") from exc


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise CheckpointError(f"{path}: {exc}") from exc
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return value
