"""PyTorch's storages and the strided views that are its tensors, as NumPy arrays."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from model.errors import CheckpointError

BFLOAT16: Final = np.dtype("<V2")
"""NumPy has no bfloat16: two bytes without a meaning stand for it."""

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16,
    "DoubleStorage": np.dtype("<f8"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


@dataclass(frozen=True, slots=True)
class Storage:
    """A flat run of elements that one or more tensors view."""

    key: str
    dtype: np.dtype[Any]
    elements: int

    @property
    def size_in_file(self) -> int:
        """Its size in the file."""
        return self.elements * self.dtype.itemsize

    def decode(self, data: bytes) -> np.ndarray[Any, Any]:
        """The elements; bfloat16 widened to float32. CheckpointError when there are more or fewer."""
        if len(data) != self.size_in_file:
            raise CheckpointError(f"storage {self.key} has {len(data)} bytes, not {self.size_in_file}")
        if self.dtype == BFLOAT16:
            return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(data, self.dtype)


@dataclass(frozen=True, slots=True)
class LazyTensor:
    """A view of a storage that has not been read yet; offset and strides count elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def faults(self) -> str:
        """Why this is no view of the storage; empty when it is one."""
        numbers = (self.offset, *self.size, *self.stride)
        if not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in numbers) or len(self.size) != len(self.stride):
            return "sizes, strides and offset are no such numbers"
        if len(self.size) > 8 or math.prod(self.size) > self.storage.elements:
            return "it has more elements than its storage"
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if math.prod(self.size) and last >= self.storage.elements:
            return "it reaches beyond its storage"
        return ""


def to_array(name: str, tensor: LazyTensor, storage: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The tensor's elements as an array of its own shape; CheckpointError names a tensor that leaves its storage."""
    if fault := tensor.faults():
        raise CheckpointError(f"{name}: {fault}")
    if not math.prod(tensor.size):
        return np.zeros(tensor.size, storage.dtype)
    strides = tuple(step * storage.itemsize for step in tensor.stride)
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.size, strides, writeable=False)
