"""The process that reads files from strangers: `python -m model.checkpoints.formats FORM PATH SECONDS BYTES`.

Writes a line of JSON, `value` or `fault`, to standard output. For the forms that hold tensors, `value` has name, type
and shape of each, and their elements follow. Whoever starts it watches the clock.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from model.checkpoints.formats import google, huggingface, keras_head, pytorch
from model.errors import CheckpointError

READERS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "safetensors": huggingface.read_safetensors,
    "pytorch": pytorch.read_pytorch,
    "tensorflow": google.read_ckpt,
    "keras": keras_head.read_datasets,
    "config": huggingface.read_config,
    "tokenizer": huggingface.read_tokenizer,
}
LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "safetensors": ("safetensors.numpy",),
    "tensorflow": ("tensorflow",),
    "keras": ("h5py",),
    "config": ("transformers",),
    "tokenizer": ("tokenizers",),
}
"""Imported before the limits hold: their own memory is not the file's."""


def main(form: str, path: str, seconds: str, memory: str) -> None:
    """Reads and writes."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    for library in LIBRARIES.get(form, ()):
        __import__(library)
    limit(int(seconds), int(memory))
    try:
        found = READERS[form](Path(path))
    except CheckpointError as exc:
        _say(out, fault=str(exc))
    except MemoryError:
        _say(out, fault=f"{path}: it takes too much memory to read")
    except BaseException as exc:  # noqa: BLE001 (also panics of Rust: to whoever asked, all are faults of the file)
        _say(out, fault=f"{path}: {type(exc).__name__}: {str(exc)[:500]}")
    else:
        _write(out, found)
    out.flush()
    os._exit(0)  # a library that was led astray might not end


def limit(seconds: int, memory: int) -> None:
    """Bounds the process: processor time and memory beyond what it has by now, no core file, no files to write."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0]) if sys.platform == "linux" else 0
    used = os.times().user + os.times().system
    space = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1 + seconds,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _write(out: IO[bytes], found: Any) -> None:
    if not isinstance(found, dict) or not all(isinstance(value, np.ndarray) for value in found.values()):
        _say(out, value=found)
        return
    if odd := [name for name, array in found.items() if array.dtype.kind not in "fiub"]:
        _say(out, fault=f"{odd[0]} does not hold numbers")
        return
    _say(out, value=[(name, array.dtype.str, array.shape) for name, array in found.items()])
    for array in found.values():
        out.write(array.tobytes())


def _say(out: IO[bytes], **answer: Any) -> None:
    out.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
