"""From a served int8 graph back to a checkpoint in float32, to be trained further where the first one is gone.

The graph is one of ours (model.training.build): its weights stand in the order of the layers. Needs the
`train` extra (TensorFlow).
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import save_file
from tensorflow.lite.python import schema_py_generated as schema

from model.arrays import Array
from model.artifact import TOKENIZER, Artifact
from model.checkpoints.checkpoint import CONFIG
from model.checkpoints.record import SEEN, Record, write_record
from model.engines.head import Calibration
from model.errors import CheckpointError
from model.training.bert import BertConfig

_TYPES: Final = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT8: np.int8}


def restore(artifact: Artifact, folder: Path, seen: Iterable[str]) -> None:
    """Write the trained checkpoint that an artifact, int8 or float32, can still be; `seen`: as in its seen.txt.

    CheckpointError if the graph is not one of ours, or the artifact shares another's.
    """
    if artifact.encoder is not None:
        raise CheckpointError(f"{artifact.path} has no encoder of its own: give {artifact.encoder.path}")
    manifest = artifact.manifest
    tensors = dequantised(artifact)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    config = {**manifest.architecture, "architectures": ["BertForSequenceClassification"]}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    shutil.copyfile(artifact.tokenizer / TOKENIZER, folder / TOKENIZER)
    (folder / SEEN).write_text("".join(f"{row}\n" for row in sorted(seen)), "utf-8")
    kept = {field.name: getattr(manifest, field.name) for field in fields(Record)}
    write_record(Record(**{**kept, "calibration": Calibration.identity(len(manifest.labels))}), folder)


def dequantised(artifact: Artifact) -> dict[str, Array]:
    """The tensors under Hugging Face's names, `bert.` and `classifier.` (with the calibration folded in).

    CheckpointError if the graph has other constants than a BERT of the manifest's architecture.
    """
    shape = {name: artifact.manifest.architecture.get(name) for name in BertConfig.__dataclass_fields__}
    config = BertConfig.from_json(shape)
    h, at = config.hidden_size, "bert.embeddings."
    graph = _Graph(artifact.graph, h)
    graph.take(f"{at}word_embeddings.weight", config.vocab_size, h)
    graph.take(f"{at}position_embeddings.weight", config.max_position_embeddings, h)
    graph.named[f"{at}token_type_embeddings.weight"] = np.zeros((config.type_vocab_size, h), np.float32)
    before = f"{at}LayerNorm"
    graph.norm(before)
    for i in range(config.num_hidden_layers):
        before = graph.layer(f"bert.encoder.layer.{i}.", before, config.intermediate_size)
    graph.linear("classifier", h, len(artifact.manifest.labels))
    graph.finish()
    return graph.named


class _Graph:
    """Takes the graph's constants one by one; `named` are those taken."""

    def __init__(self, path: Path, hidden: int) -> None:
        self.named: dict[str, Array] = {}
        self._path = path
        self._constants = iter(_constants(path))
        self._hidden = hidden

    def take(self, name: str, *shape: int) -> None:
        """CheckpointError unless the next constant has this shape."""
        found = next(self._constants, None)
        if found is None or found.shape != shape:
            raise CheckpointError(
                f"{self._path}: {None if found is None else found.shape} in place of {shape} for {name}"
            )
        self.named[name] = found

    def finish(self) -> None:
        """CheckpointError if a constant is left."""
        if next(self._constants, None) is not None:
            raise CheckpointError(f"{self._path}: constants are left over")

    def norm(self, name: str) -> None:
        self.take(f"{name}.weight", self._hidden)
        self.take(f"{name}.bias", self._hidden)

    def linear(self, name: str, inputs: int, outputs: int, norm: str = "") -> None:
        """The shift of a `norm` right before a layer was moved into the layer's bias by the converter."""
        self.take(f"{name}.weight", outputs, inputs)
        self.take(f"{name}.bias", outputs)
        if norm:
            self.named[f"{name}.bias"] = (
                self.named[f"{name}.bias"] - self.named[f"{name}.weight"] @ self.named[f"{norm}.bias"]
            )

    def layer(self, at: str, before: str, inner: int) -> str:
        """All of an encoder layer that follows the norm `before`; returns the name of the norm that it ends with."""
        h = self._hidden
        self.linear("qkv", h, 3 * h, before)
        for kind in ("weight", "bias"):
            parts = np.split(self.named.pop(f"qkv.{kind}"), 3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                self.named[f"{at}attention.self.{name}.{kind}"] = np.ascontiguousarray(part)
        self.linear(f"{at}attention.output.dense", h, h)
        self.norm(f"{at}attention.output.LayerNorm")
        self.linear(f"{at}intermediate.dense", h, inner, f"{at}attention.output.LayerNorm")
        self.linear(f"{at}output.dense", inner, h)
        self.norm(f"{at}output.LayerNorm")
        return f"{at}output.LayerNorm"


def _constants(graph: Path) -> list[Array]:
    """The graph's constants as float32, but for shapes and single numbers, in the order of its operators."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph.read_bytes(), 0))
    tensors: list[Any] = model.subgraphs[0].tensors
    found: list[Array] = []
    for operator in model.subgraphs[0].operators:
        for index in operator.inputs:
            data = model.buffers[tensors[index].buffer].data if index >= 0 else None
            if data is not None and tensors[index].type in _TYPES and np.prod(tensors[index].shape) > 1:
                found.append(_as_float(tensors[index], data))
    return found


def _as_float(tensor: Any, data: Any) -> Array:
    """Symmetric quantisation, of the whole tensor or of each row (TensorFlow Lite's 8-bit specification)."""
    values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), _TYPES[tensor.type]).reshape(tuple(tensor.shape))
    if tensor.type == schema.TensorType.FLOAT32:
        return values.copy()
    scale = np.asarray(tensor.quantization.scale, np.float32)
    scaled: Array = values.astype(np.float32) * (scale[:, None] if len(scale) > 1 else scale)
    return scaled
