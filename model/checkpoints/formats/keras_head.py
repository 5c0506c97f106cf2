"""The head of a Keras 3 model file (.keras): the one dense layer over [CLS] of the demo that this service replaces.

A .keras file is a zip of config.json, metadata.json and model.weights.h5. Only the numbers in the HDF5 file are read:
the configuration could name code to run, and is never looked at. Needs the `train` extra (h5py comes with TensorFlow).
"""

import zipfile
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.arrays import Array, Floats
from model.errors import CheckpointError

_WEIGHTS: Final = "model.weights.h5"
_TRAINING_STATE: Final = frozenset({"optimizer", "metrics", "compile_metrics"})
MAX_BYTES: Final = 2 << 30
"""Of the weights file unpacked: a BERT-large with its optimiser's slots fits."""
MAX_PLACES: Final = 10_000
"""Groups and variables of a weights file: BERT-large with its optimiser's slots has about 2,000."""


def read_datasets(path: Path) -> dict[str, Array]:
    """Every variable of a layer by its path in the file.

    The optimiser's slots, the metrics' counters and dropout's random state are no part of the model.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_WEIGHTS).file_size > MAX_BYTES:
                raise CheckpointError(f"{path}: {_WEIGHTS} is larger than {MAX_BYTES} bytes")
            with archive.open(_WEIGHTS) as packed, h5py.File(BytesIO(packed.read(MAX_BYTES)), "r") as weights:
                return _datasets(weights, h5py)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile) as exc:
        raise CheckpointError(f"{path}: not a Keras 3 model file: {exc}") from exc


def _datasets(weights: Any, h5py: Any) -> dict[str, Array]:
    """Links that lead out of the file are not followed, and no more than a model can have."""
    found: dict[str, Array] = {}
    places = count()

    def visit(group: Any, at: str) -> None:
        for name in group:
            if next(places) > MAX_PLACES:
                raise CheckpointError(f"{at}{name}: the file has more than {MAX_PLACES} groups and variables")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise CheckpointError(f"{at}{name}: a link out of the file")
            item = group[name]
            if isinstance(item, h5py.Group):
                visit(item, f"{at}{name}/")
            elif item.external or item.is_virtual:
                raise CheckpointError(f"{at}{name}: its values lie in another file")
            else:
                found[f"{at}{name}"] = np.asarray(item)

    for part in weights:
        if part not in _TRAINING_STATE:
            visit(weights[part], f"{part}/")
    return {name: value for name, value in found.items() if "seed_generator" not in name.split("/")}


def find_head(path: Path, found: dict[str, Array], hidden: int) -> tuple[Floats, Floats]:
    """Kernel [hidden, labels] and bias [labels] of the one dense layer over `hidden` inputs among the file's variables.

    CheckpointError names every other variable: it would have been part of the model.
    """
    kernels = [name for name, value in found.items() if value.ndim == 2 and name.endswith("/vars/0")]
    if len(kernels) != 1:
        raise CheckpointError(f"{path}: not one dense layer but {len(kernels)}: {', '.join(sorted(found))}")
    kernel, bias = found.pop(kernels[0]), found.pop(f"{kernels[0].removesuffix('0')}1", None)
    if found:
        raise CheckpointError(f"{path}: left over {', '.join(sorted(found))}")
    if kernel.shape[0] != hidden:
        raise CheckpointError(f"{path}: the head reads {kernel.shape[0]} features, the encoder gives {hidden}")
    if bias is None or bias.shape != kernel.shape[1:]:
        raise CheckpointError(f"{path}: the head's bias is missing or does not fit its kernel {list(kernel.shape)}")
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise CheckpointError(f"{path}: the head holds NaN or infinity")
    return kernel.astype(np.float32), bias.astype(np.float32)
