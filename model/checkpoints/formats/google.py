"""TensorFlow checkpoints of BERT as Google and AllenAI publish them: bert_model.ckpt.index and .data-…

Names are those of google-research/bert's modeling.py; kernels are [in, out] there and [out, in] here. Needs the `train`
extra (TensorFlow).
"""

import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.errors import CheckpointError

_SLOTS: Final = ("/adam_m", "/adam_v")
"""What the optimiser keeps beside each variable."""
_COUNTERS: Final = frozenset({"global_step"})

_RULES: Final = (
    (re.compile(r"^bert/"), "bert/"),
    (re.compile(r"/layer_(\d+)/"), r"/layer/\1/"),
    (re.compile(r"/(kernel|gamma|output_weights)$"), "/weight"),
    (re.compile(r"/(beta|output_bias)$"), "/bias"),
    (re.compile(r"/((?:word|position|token_type)_embeddings)$"), r"/\1/weight"),
)


def find_ckpt(folder: Path) -> Path | None:
    """The prefix of the folder's TensorFlow checkpoint; CheckpointError when there are several."""
    found = sorted(folder.glob("*.ckpt.index")) or sorted(folder.glob("*.ckpt-*.index"))
    if len(found) > 1:
        raise CheckpointError(f"{folder}: {len(found)} TensorFlow checkpoints; leave one of them")
    return found[0].with_suffix("") if found else None


def ckpt_files(prefix: Path) -> list[Path]:
    """The files that the checkpoint consists of."""
    return sorted(prefix.parent.glob(f"{prefix.name}.index")) + sorted(prefix.parent.glob(f"{prefix.name}.data-*"))


def read_ckpt(prefix: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All variables but the optimiser's slots and step counter, under Hugging Face's names."""
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = set(reader.get_variable_to_shape_map())
        kept = [name for name in sorted(names) if not _is_training_state(name, names)]
        return {_rename(name): _read(reader, name) for name in kept}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as exc:
        raise CheckpointError(f"{prefix}: {exc}") from exc


def _is_training_state(name: str, names: set[str]) -> bool:
    """A slot counts as one only beside its variable."""
    return name in _COUNTERS or any(name.endswith(slot) and name.removesuffix(slot) in names for slot in _SLOTS)


def _read(reader: Any, name: str) -> np.ndarray[Any, Any]:
    value: np.ndarray[Any, Any] = np.asarray(reader.get_tensor(name))
    return value.T if name.endswith("/kernel") else value


def _rename(name: str) -> str:
    for pattern, replacement in _RULES:
        name = pattern.sub(replacement, name)
    return name.replace("/", ".")
