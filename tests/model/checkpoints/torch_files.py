"""Writes what torch.save writes, without PyTorch: its pickles name classes that stand in for PyTorch's."""

import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

STORAGES = {
    "f4": "FloatStorage",
    "f2": "HalfStorage",
    "f8": "DoubleStorage",
    "i8": "LongStorage",
    "u2": "BFloat16Storage",
}


@dataclass
class Flat:
    """A storage: its key and its elements (u2 are the bits of bfloat16)."""

    key: str
    data: np.ndarray[Any, Any]
    claimed: int | None = None


@dataclass
class Viewed:
    """A tensor over a storage."""

    storage: Flat
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, self.offset, self.size, self.stride, False, OrderedDict())


def whole(key: str, array: np.ndarray[Any, Any]) -> Viewed:
    """A tensor that is all of a storage of its own."""
    stride = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides)
    return Viewed(Flat(key, array.ravel()), array.shape, stride)


@contextmanager
def _torch() -> Iterator[None]:
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None:
        pass

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    with patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        yield


class _Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, Flat):
            return None
        kind = getattr(sys.modules["torch"], STORAGES[value.data.dtype.str[1:]])
        size = len(value.data) if value.claimed is None else value.claimed
        return ("storage", kind, value.key, "cpu", size, *([None] if self.legacy else []))


def _pickled(value: object, legacy: bool) -> bytes:
    out = BytesIO()
    with _torch():
        pickler = _Pickler(out, protocol=2)
        pickler.legacy = legacy
        pickler.dump(value)
    return out.getvalue()


def write_zip(path: Path, state: object, storages: list[Flat], compression: int = zipfile.ZIP_STORED) -> Path:
    """The form since 1.6."""
    return write_raw_zip(path, _pickled(state, legacy=False), storages, compression)


def write_raw_zip(path: Path, data: bytes, storages: list[Flat], compression: int = zipfile.ZIP_STORED) -> Path:
    """The same around any pickle."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        for storage in storages:
            archive.writestr(f"archive/data/{storage.key}", storage.data.tobytes())
    return path


def write_legacy(path: Path, state: object, storages: list[Flat]) -> Path:
    """The form before."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    with path.open("wb") as file:
        for value in head:
            file.write(pickle.dumps(value, protocol=2))
        file.write(_pickled(state, legacy=True))
        file.write(pickle.dumps([storage.key for storage in storages], protocol=2))
        for storage in storages:
            file.write(struct.pack("<q", len(storage.data)) + storage.data.tobytes())
    return path
