"""pytorch_model.bin without PyTorch: the zip form (torch >= 1.6) and the legacy one, a row of pickles and raw storages.

A pickle can run code. This reader unpickles with a table of what may be named, and the table holds only what rebuilds
tensors; every other name is refused before anything is called. See torch/serialization.py for the forms. What a file
may cost is bounded by the process that this runs in, see checkpoints/apart.py.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from model.checkpoints.formats.storages import DTYPES, LazyTensor, Storage, to_array
from model.errors import CheckpointError

Arrays = dict[str, np.ndarray[Any, Any]]

_LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL: Final = 1001


def read_pytorch(path: Path) -> Arrays:
    """The tensors of a state dict; CheckpointError names what is wrong with the file or not allowed in it."""
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        return _read_legacy(path)
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, pickle.UnpicklingError) as exc:
        raise CheckpointError(f"{path}: not a PyTorch state dict: {exc}") from exc
    except zipfile.BadZipFile as exc:
        raise CheckpointError(f"{path}: a damaged zip: {exc}") from exc


def _read_zip(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        root = _root(archive)
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise CheckpointError(f"{path}: big-endian storages are not supported")
        tensors = _state_dict(_TensorUnpickler(BytesIO(archive.read(f"{root}data.pkl"))).load())
        storages: dict[str, np.ndarray[Any, Any]] = {}
        for tensor in tensors.values():
            storage = tensor.storage
            if storage.key not in storages:
                storages[storage.key] = storage.decode(archive.read(f"{root}data/{storage.key}"))
        return {name: to_array(name, tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _root(archive: zipfile.ZipFile) -> str:
    """The folder that all members lie in, ending in a slash."""
    names = archive.namelist()
    pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
    if len(set(names)) != len(names) or len(pickles) != 1:
        raise CheckpointError(f"{archive.filename}: not one data.pkl but {len(pickles)}, or a member twice")
    return pickles[0].removesuffix("data.pkl")


def _read_legacy(path: Path) -> Arrays:
    with path.open("rb") as file:
        if _TensorUnpickler(file).load() != _LEGACY_MAGIC or _TensorUnpickler(file).load() != _LEGACY_PROTOCOL:
            raise CheckpointError(f"{path}: neither form of a PyTorch file")
        if not _TensorUnpickler(file).load()["little_endian"]:
            raise CheckpointError(f"{path}: big-endian storages are not supported")
        tensors = _state_dict(_TensorUnpickler(file).load())
        keys = _TensorUnpickler(file).load()
        declared = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        if sorted(keys) != sorted(declared):
            raise CheckpointError(f"{path}: the storages that follow are not those that the tensors name")
        storages = {key: _legacy_storage(file, declared[key]) for key in keys}
        if file.read(1):
            raise CheckpointError(f"{path}: bytes after the last storage")
    return {name: to_array(name, tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _legacy_storage(file: IO[bytes], storage: Storage) -> np.ndarray[Any, Any]:
    """Number of elements (int64), then the elements."""
    stated = int.from_bytes(file.read(8), "little", signed=True)
    if stated != storage.elements:
        raise CheckpointError(f"storage {storage.key} has {stated} elements, its tensors say {storage.elements}")
    return storage.decode(file.read(storage.size_in_file))


def _state_dict(value: object) -> dict[str, LazyTensor]:
    """The tensors, from a state dict or a training checkpoint that holds one under `state_dict`."""
    if isinstance(value, Mapping) and isinstance(value.get("state_dict"), Mapping):
        value = value["state_dict"]
    if not isinstance(value, Mapping) or not value:
        raise CheckpointError("the pickle holds no state dict")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, LazyTensor):
            raise CheckpointError(f"{name!r} is not a tensor but {type(tensor).__name__}")
    return dict(value)


def _rebuild_tensor(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    """torch._utils._rebuild_tensor(_v2); what follows are requires_grad, hooks and metadata, which do not matter."""
    if not isinstance(storage, Storage):
        raise CheckpointError(f"a tensor over {type(storage).__name__}, which is no storage")
    return LazyTensor(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: LazyTensor, *_: Any) -> LazyTensor:
    """torch._utils._rebuild_parameter: a tensor with requires_grad and hooks, which do not matter."""
    return data


class _Ordered(OrderedDict[Any, Any]):
    """Takes the place of collections.OrderedDict, whose attributes a pickle may set (`_metadata`)."""


_ALLOWED: Final[Mapping[tuple[str, str], Callable[..., Any] | np.dtype[Any]]] = {
    ("collections", "OrderedDict"): _Ordered,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):  # the table below is what makes it safe
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise CheckpointError(f"the pickle names {module}.{name}, which rebuilds no tensor: refused") from None

    def persistent_load(self, pid: Any) -> Storage:
        """("storage", type, key, location, elements[, view]); see torch/serialization.py."""
        kind, dtype, key, _location, elements, *view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(key, str) or any(view):
            raise CheckpointError(f"a persistent id of an unknown form: {str(pid)[:80]}")
        if not isinstance(elements, int) or elements < 0:
            raise CheckpointError(f"storage {key} claims {elements!r} elements")
        return Storage(key, dtype, elements)
