"""Reads files from strangers in a process of its own, which has limits and dies of whatever they do to it.

A pickle, a zip, an HDF5 file, a TensorFlow checkpoint or a tokenizer can ask for any amount of time and memory, or
crash the library that reads it. What a reader gives comes through a pipe as plain arrays or JSON, and is counted here.
"""

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np

from model.arrays import Array
from model.errors import CheckpointError

Form = Literal["safetensors", "pytorch", "tensorflow", "keras", "config", "tokenizer"]
PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "SYSTEMROOT")
"""The environment that a reader sees: no secrets, and no word of the service's settings."""
MAX_LINE: Final = 64 << 20
"""Bytes of JSON: BERT's tokenizer has 700 KB."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one reading: seconds of processor time, from which those of the clock follow, and bytes of memory."""

    seconds: int
    memory: int

    @classmethod
    def of(cls, size: int) -> "Limits":
        """What files of `size` bytes may take: an honest one takes a tenth of it."""
        return cls(seconds=30 + size // (64 << 20), memory=(1 << 30) + 4 * size)


def read_arrays(form: Form, path: Path, limits: Limits | None = None) -> dict[str, Array]:
    """The named arrays in a file; a TensorFlow checkpoint is given by its prefix.

    CheckpointError names what is wrong with it, too large, too demanding, or what ended the reader.
    """
    size = sum(file.stat().st_size for file in path.parent.iterdir() if file.name.startswith(path.name))
    limits = limits or Limits.of(size)
    left = limits.memory
    arrays: dict[str, Array] = {}
    with _reader(form, path, limits) as pipe:
        for name, dtype, shape in _answer(pipe, path):
            left -= math.prod(shape) * np.dtype(dtype).itemsize
            if left < 0:
                raise CheckpointError(f"{path}: its tensors are far larger than the file")
            arrays[name] = np.empty(shape, dtype)
            if pipe.readinto(arrays[name].reshape(-1).view(np.uint8).data) != arrays[name].nbytes:
                raise CheckpointError(f"{path}: the reading of {name} was cut off")
    return arrays


def read_json(form: Form, folder: Path, limits: Limits | None = None) -> Any:
    """The `config` of a checkpoint's folder, or its `tokenizer` as tokenizer.json has it; CheckpointError as above."""
    with _reader(form, folder, limits or Limits.of(MAX_LINE)) as pipe:
        return _answer(pipe, folder)


def _answer(pipe: BufferedReader, path: Path) -> Any:
    line = pipe.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise CheckpointError(f"{path}: it takes too much time or memory to read, or breaks its reader")
    answer = json.loads(line)
    if "fault" in answer:
        raise CheckpointError(str(answer["fault"]))
    return answer["value"]


@contextmanager
def _reader(form: Form, path: Path, limits: Limits) -> Iterator[BufferedReader]:
    """The pipe from a reader, which is gone when the block ends, whatever happens."""
    root = str(Path(__file__).parents[2])
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONPATH": root}
    command = [sys.executable, "-m", "model.checkpoints.formats", form, str(path.absolute())]
    command += [str(limits.seconds), str(limits.memory)]
    with subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        clock = threading.Timer(60.0 + 4 * limits.seconds, process.kill)
        clock.start()
        try:
            yield cast(BufferedReader, process.stdout)
        finally:
            clock.cancel()
            process.kill()
