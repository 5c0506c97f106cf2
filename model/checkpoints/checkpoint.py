"""Reads the tensors of a pretrained checkpoint and accounts for every one of them."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from model.arrays import Array
from model.artifact import sha256_of
from model.checkpoints.apart import Form, read_arrays, read_json
from model.checkpoints.formats.google import ckpt_files, find_ckpt
from model.errors import CheckpointError
from model.tokens import prepare

SOURCE = "source.json"
"""Where a pulled or imported checkpoint came from."""

CONFIG = "config.json"
BERT_SHAPE = frozenset(
    {
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "type_vocab_size",
        "hidden_act",
    }
)
"""What config.json says of the encoder."""
MAX_JSON = 4 << 20
"""Bytes of config.json: with thousands of labels, a few hundred KB."""

_FIRST = "embeddings.word_embeddings.weight"

# Checkpoints that were first made with TensorFlow still call a layer norm's parameters by its names for them.
_HISTORIC = re.compile(r"(?<=\.LayerNorm\.)(?:gamma|beta)$")
_TODAY = {"gamma": "weight", "beta": "bias"}

# Buffers and the heads of pretraining tasks, which no classifier reads.
_NOT_PARAMETERS = ("embeddings.position_ids", "cls.predictions.", "cls.seq_relationship.")


MAX_INVENTED = 1 << 26
"""Elements that may stand in for faulty tensors; BERT's largest has 23 million."""


class Tensors:
    """The named tensors of one checkpoint, each to be taken exactly once.

    Names are those of Hugging Face's BertModel; linear kernels are stored as [out, in].
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._left = {_HISTORIC.sub(lambda m: _TODAY[m[0]], name): value for name, value in tensors.items()}
        self._all = frozenset(self._left)
        self._faults: list[str] = []
        self._invented = 0

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """The tensor in float32. A fault is noted, zeros stand in, and `finish` raises for all faults at once.

        It raises here when so much is missing that the shapes asked for cannot be this checkpoint's.
        """
        value = self._left.pop(name, None)
        if value is None:
            self._faults.append(f"missing {name}")
        elif value.shape != shape:
            self._faults.append(f"{name} is {list(value.shape)}, not {list(shape)}")
        elif not np.isfinite(value).all():
            self._faults.append(f"{name} holds NaN or infinity")
        else:
            return value.astype(np.float32)
        self._invented += math.prod(shape)
        if self._invented > MAX_INVENTED:
            raise CheckpointError(f"{self._faults[0]}, and {len(self._faults) - 1} more faulty tensors")
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
    """A folder with config.json or bert_config.json, tokenizer.json or vocab.txt, and weights in one of three forms.

    Taken is the first of: model.safetensors, pytorch_model.bin, a TensorFlow checkpoint (*.ckpt.index). Nothing in it
    is trusted: all but config.json is read by a process with limits, see apart.py.
    """

    def __init__(self, path: Path) -> None:
        """CheckpointError when there are no weights."""
        self.path = path
        self._form, self._file = _find_weights(path)
        self.weights = ckpt_files(self._file) if self._form == "tensorflow" else [self._file]

    def tensors(self) -> Tensors:
        """All tensors, read into memory."""
        return Tensors(read_arrays(self._form, self._file))

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """config.json; what it leaves out of a BERT's shape is as transformers has it."""
        stated = read_object(self.path / CONFIG) if (self.path / CONFIG).is_file() else {}
        if stated and (stated.keys() >= BERT_SHAPE or "model_type" not in stated):
            return stated
        return {**read_json("config", self.path), **stated}

    def tokenizer(self, max_tokens: int) -> Tokenizer:
        """The tokenizer, which cuts to `max_tokens` incl. [CLS] and [SEP].

        Of vocab.txt alone: texts are lower-cased if tokenizer_config.json says so or, where that is silent, if the
        vocabulary has hardly a word with capitals.
        """
        return prepare(Tokenizer.from_str(read_json("tokenizer", self.path)), max_tokens)

    def digest(self) -> str:
        """`sha256:` and the hexadecimal SHA-256 of the weights file; of several, over them one after the other."""
        return f"sha256:{sha256_of(*self.weights)}"

    def provenance(self) -> dict[str, Any]:
        """What a manifest says of it: where it came from, as far as its folder tells, and its digest."""
        source = read_object(self.path / SOURCE) if (self.path / SOURCE).is_file() else {}
        known = {key: source[key] for key in ("repository", "revision", "licence") if source.get(key)}
        name = known.get("repository") or self.path.name
        return {"name": name, "digest": self.digest(), **known}


def _find_weights(folder: Path) -> tuple[Form, Path]:
    """The form of the weights, and the file that holds them or its prefix."""
    if (path := folder / "model.safetensors").is_file():
        return "safetensors", path
    if (path := folder / "pytorch_model.bin").is_file():
        return "pytorch", path
    if (prefix := find_ckpt(folder)) is not None:
        return "tensorflow", prefix
    raise CheckpointError(f"{folder}: no model.safetensors, pytorch_model.bin or *.ckpt.index")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; CheckpointError otherwise."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise CheckpointError(f"{path}: larger than {MAX_JSON} bytes")
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise CheckpointError(f"{path}: {exc}") from exc
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return value
