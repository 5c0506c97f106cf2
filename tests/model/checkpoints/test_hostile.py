"""Files made to hang, to crash or to take all memory: each is one CheckpointError, within limits."""

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf

from model.checkpoints.apart import Form, Limits, read_arrays, read_json
from model.checkpoints.checkpoint import Checkpoint, read_object
from model.errors import CheckpointError
from model.training.bert import new_classifier
from tests.model.checkpoints.torch_files import whole, write_raw_zip, write_zip

LIMITS = Limits(seconds=1, memory=256 << 20)
Write = Callable[[Path], tuple[Form, Path]]
DOUBLING = b"\x80\x02)" + b"2\x86" * 200


def _pickled(data: bytes) -> Write:
    return lambda folder: ("pytorch", write_raw_zip(folder / "x.bin", data, []))


def _keras(fill: Callable[[h5py.File], None]) -> Write:
    def write(folder: Path) -> tuple[Form, Path]:
        data = BytesIO()
        with h5py.File(data, "w") as file:
            fill(file)
        with zipfile.ZipFile(folder / "x.keras", "w") as archive:
            archive.writestr("model.weights.h5", data.getvalue())
        return "keras", folder / "x.keras"

    return write


def _doubling_links(file: h5py.File) -> None:
    group = file.create_group("layers")
    for _ in range(30):
        below = group.create_group("a")
        group["b"] = below
        group = below


def _circle(file: h5py.File) -> None:
    group = file.create_group("layers")
    group["again"] = group


def _fill_value(file: h5py.File) -> None:
    file.create_dataset("layers/dense/vars/0", (1 << 15, 1 << 15), "f4", fillvalue=1.0)


def _many_fill_values(file: h5py.File) -> None:
    for i in range(40):
        file.create_dataset(f"layers/dense_{i}/vars/0", (1 << 12, 1 << 12), "f4", fillvalue=1.0)


def _text(file: h5py.File) -> None:
    file["layers/dense/vars/0"] = ["a", "b"]


def _bomb(folder: Path) -> tuple[Form, Path]:
    with (
        zipfile.ZipFile(folder / "x.keras", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("model.weights.h5", "w") as packed,
    ):
        for _ in range(1 << 9):
            packed.write(bytes(1 << 20))
    return "keras", folder / "x.keras"


def _shared_storage(folder: Path) -> tuple[Form, Path]:
    """A thousand tensors over one storage."""
    tensor = whole("0", np.zeros(1 << 20, np.float32))
    return "pytorch", write_zip(folder / "x.bin", {f"t{i}": tensor for i in range(1000)}, [tensor.storage])


def _packed_storage(folder: Path) -> tuple[Form, Path]:
    """512 MB of zeros in half a MB."""
    tensor = whole("0", np.zeros(1 << 27, np.float32))
    return "pytorch", write_zip(folder / "x.bin", {"a": tensor}, [tensor.storage], zipfile.ZIP_DEFLATED)


def _safetensors(header: Any) -> Write:
    def write(folder: Path) -> tuple[Form, Path]:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return _raw(folder, struct.pack("<Q", len(text)) + text + bytes(64))

    return write


def _raw(folder: Path, data: bytes) -> tuple[Form, Path]:
    (folder / "x.safetensors").write_bytes(data)
    return "safetensors", folder / "x.safetensors"


def _tokenizer(**files: Any) -> Write:
    def write(folder: Path) -> tuple[Form, Path]:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (folder / name.replace("_json", ".json").replace("_txt", ".txt")).write_bytes(data)
        return "tokenizer", folder

    return write


def _huge_config(folder: Path) -> tuple[Form, Path]:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "num_labels": 1 << 40}))
    return "config", folder


def _slice(folder: Path) -> tuple[Form, Path]:
    """Four elements that are said to be a slice of 4 GB."""
    tf.raw_ops.SaveV2(
        prefix=str(folder / "x.ckpt"), tensor_names=["a"], shape_and_slices=["1073741824 0,4"], tensors=[tf.ones(4)]
    )
    return "tensorflow", folder / "x.ckpt"


SPLIT = {"type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Isolated", "invert": False}
WORDS = {"type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9}
HOSTILE: dict[str, Write] = {
    "hash of a doubling tuple": _pickled(DOUBLING + b"q\x00}h\x00Ns."),
    "doubling tuple as a name": _pickled(DOUBLING + b"q\x00}h\x00Ns0}h\x00Ns."),
    "doubling lists": _pickled(b"\x80\x02]q\x00" + b"(h\x00h\x00lq\x00" * 200 + b"."),
    "set of a doubling tuple": _pickled(b"\x80\x04\x8f(" + DOUBLING[2:] + b"\x90."),
    "memory of a long integer": _pickled(b"\x80\x02\x8b\xff\xff\xff\x7f."),
    "frozen set of nothing": _pickled(b"\x80\x04\x91."),
    "build of a number": _pickled(b"\x80\x02K\x01}b."),
    "deeply nested": _pickled(b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b"."),
    "items of None": _pickled(b"\x80\x02N(K\x01K\x02u."),
    "tensor of an enormous shape": _pickled(pickle.dumps({"a": (1 << 4000,)}, 2)),
    "a thousand tensors over one storage": _shared_storage,
    "512 MB of packed zeros": _packed_storage,
    "memo index that asks for all memory": _pickled(b"\x80\x02}r\xf0\xff\xff\x7f."),
    "doubling hard links": _keras(_doubling_links),
    "a group in itself": _keras(_circle),
    "4 GB of a fill value": _keras(_fill_value),
    "many fill values": _keras(_many_fill_values),
    "texts for weights": _keras(_text),
    "zip bomb": _bomb,
    "header longer than the file": lambda folder: _raw(folder, struct.pack("<Q", 1 << 62)),
    "deep header": _safetensors(b"[" * 100_000),
    "enormous shape": _safetensors({"a": {"dtype": "F32", "shape": [1 << 40, 0], "data_offsets": [0, 0]}}),
    "shape that overflows": _safetensors({"a": {"dtype": "F32", "shape": [1 << 63, 2], "data_offsets": [0, 8]}}),
    "offsets the wrong way": _safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}),
    "unknown type": _safetensors({"a": {"dtype": "Q9", "shape": [1], "data_offsets": [0, 4]}}),
    "a regular expression without an end": _tokenizer(
        tokenizer_json={"version": "1.0", "pre_tokenizer": SPLIT, "model": WORDS | {"vocab": {"u": 0}}}
    ),
    "tokenizer of nothing": _tokenizer(tokenizer_json={}),
    "tokenizer of zeros": _tokenizer(tokenizer_json=bytes(100)),
    "deep tokenizer": _tokenizer(tokenizer_json=b"[" * 1_000_000),
    "no unknown word": _tokenizer(tokenizer_json={"version": "1.0", "model": WORDS | {"vocab": {"a": 1 << 62}}}),
    "vocabulary of bytes": _tokenizer(vocab_txt=b"\xff\xfe\x00"),
    "no vocabulary": _tokenizer(vocab_txt=b""),
    "another class": _tokenizer(vocab_txt=b"a\n", tokenizer_config_json={"tokenizer_class": "os.system"}),
    "code of its own": _tokenizer(
        vocab_txt=b"a\n", tokenizer_config_json={"tokenizer_class": "A", "auto_map": {"AutoTokenizer": ["a.b", None]}}
    ),
    "settings that are no object": _tokenizer(vocab_txt=b"a\n", tokenizer_config_json=[1]),
    "labels without number": _huge_config,
    "slice of an enormous tensor": _slice,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_its_limits(tmp_path: Path, name: str) -> None:
    form, path = HOSTILE[name](tmp_path)
    read = read_json if form in ("config", "tokenizer") else read_arrays
    with pytest.raises(CheckpointError):
        read(form, path, LIMITS)


def test_an_honest_file_is_read_within_the_limits_that_are_for_its_size(tmp_path: Path) -> None:
    tensor = whole("0", np.arange(1 << 22, dtype=np.float32))
    path = write_zip(tmp_path / "x.bin", {"a": tensor}, [tensor.storage])
    assert np.array_equal(read_arrays("pytorch", path)["a"], tensor.storage.data)


@pytest.mark.parametrize(
    "text", [b"[" * 1_000_000, b"\xff", b"{", b"[]", b'{"a": ' + b"9" * 10_000 + b"}", b"{" + b" " * (5 << 20)]
)
def test_json_that_cannot_be_read(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_object(tmp_path / "config.json")


def test_a_configuration_far_larger_than_its_weights_takes_no_memory(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    largest = {"hidden_size": 1 << 14, "intermediate_size": 1 << 16, "num_hidden_layers": 256, "vocab_size": 1 << 22}
    (checkpoint / "config.json").write_text(json.dumps(config | largest))
    with pytest.raises(CheckpointError, match="word_embeddings"):
        new_classifier(Checkpoint(checkpoint), "mean", 3, tf.float32)
