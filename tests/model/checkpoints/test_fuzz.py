"""Whatever a file holds: its tensors, or one CheckpointError. Valid files are changed at random."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from model.checkpoints.apart import Form, Limits, read_arrays
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import read_record
from model.engines.head import LinearHead, load_head
from model.errors import ArtifactError, CheckpointError
from model.training.adopt import labels_of
from model.training.bert import BertConfig
from tests.model.checkpoints.torch_files import whole, write_legacy, write_raw_zip, write_zip

LIMITS = Limits(seconds=1, memory=256 << 20)
FUZZ = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _mutated(data: bytes, changes: list[tuple[int, bytes]], cut: int | None) -> bytes:
    changed = bytearray(data)
    for at, new in changes:
        changed[at % len(data) : at % len(data) + len(new)] = new
    return bytes(changed[: None if cut is None else cut % len(data)])


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)
CUT = st.none() | st.integers(0, 1 << 20)


def _read(form: Form, path: Path) -> None:
    """The file's tensors, or the one error that there may be."""
    try:
        read_arrays(form, path, LIMITS)
    except CheckpointError:
        return


OPCODES = [bytes([code]) for code in b"]})(N20asuet1QRb\x81\x85\x86\x87\x8f\x90\x91\x94"] + [
    *(b"K\x01", b"q\x00", b"h\x00", b"X\x01\x00\x00\x00a", b"\x8a\x01\x7f"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n", b"ccollections\nOrderedDict\n"),
]


@given(opcodes=st.lists(st.sampled_from(OPCODES), max_size=60))
@FUZZ
def test_any_pickle(tmp_path: Path, opcodes: list[bytes]) -> None:
    _read("pytorch", write_raw_zip(tmp_path / "x.bin", b"\x80\x02" + b"".join(opcodes) + b".", []))


@given(changes=CHANGES, cut=CUT, legacy=st.booleans())
@FUZZ
def test_any_change_to_a_pytorch_file(
    tmp_path: Path, changes: list[tuple[int, bytes]], cut: int | None, legacy: bool
) -> None:
    tensor, path = whole("0", np.arange(12, dtype=np.float32).reshape(3, 4)), tmp_path / "x.bin"
    (write_legacy if legacy else write_zip)(path, {"a": tensor}, [tensor.storage])
    path.write_bytes(_mutated(path.read_bytes(), changes, cut))
    _read("pytorch", path)


@given(changes=CHANGES, cut=CUT)
@FUZZ
def test_any_change_to_safetensors(tmp_path: Path, changes: list[tuple[int, bytes]], cut: int | None) -> None:
    (tmp_path / "x.safetensors").write_bytes(_mutated(save({"a": np.ones((3, 4), np.float32)}), changes, cut))
    _read("safetensors", tmp_path / "x.safetensors")


@given(changes=CHANGES, cut=CUT)
@FUZZ
def test_any_change_to_an_hdf5_file(tmp_path: Path, changes: list[tuple[int, bytes]], cut: int | None) -> None:
    data = BytesIO()
    with h5py.File(data, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.ones((4, 2)), np.ones(2)
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("model.weights.h5", _mutated(data.getvalue(), changes, cut))
    _read("keras", tmp_path / "x.keras")


@given(changes=CHANGES, cut=CUT, index=st.booleans())
@settings(FUZZ, max_examples=3)
def test_any_change_to_a_tensorflow_checkpoint(
    tmp_path: Path, changes: list[tuple[int, bytes]], cut: int | None, index: bool
) -> None:
    prefix = tmp_path / "bert_model.ckpt"
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=["a", "b"], shape_and_slices=["", ""], tensors=[tf.ones((3, 4)), tf.ones(5)]
    )
    path = tmp_path / ("bert_model.ckpt.index" if index else "bert_model.ckpt.data-00000-of-00001")
    path.write_bytes(_mutated(path.read_bytes(), changes, cut))
    _read("tensorflow", prefix)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(1 << 70)
JSON = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=6
)


FIELDS = [*BertConfig.__dataclass_fields__, "position_embedding_type", "model_type", "id2label"]


@given(key=st.sampled_from(FIELDS), value=JSON)
@settings(FUZZ, max_examples=300)
def test_any_value_in_a_configuration(checkpoint: Path, key: str, value: Any) -> None:
    config = json.loads((checkpoint / "config.json").read_text()) | {"id2label": {"0": "a", "1": "b"}} | {key: value}
    (checkpoint / "config.json").write_text(json.dumps(config))
    for look in (BertConfig.from_json, labels_of):
        try:
            look(Checkpoint(checkpoint).config)
        except CheckpointError:
            continue


RECORD = {
    "labels": ["a", "b"],
    "activation": "sigmoid",
    "pooling": "mean",
    "calibration": {"scale": [1.0, 1.0], "offset": [0.0, 0.0]},
    "threshold": 0.5,
    "max_tokens": 32,
    "checkpoint": {},
    "training": {},
    "scores": {},
    "licence": "",
    "created": "",
    "trained": True,
}


@given(key=st.sampled_from(list(RECORD)), value=JSON)
@settings(FUZZ, max_examples=300)
def test_any_value_in_a_record(checkpoint: Path, key: str, value: Any) -> None:
    (checkpoint / "classifier.json").write_text(json.dumps(RECORD | {key: value}))
    try:
        record = read_record(checkpoint)
    except CheckpointError:
        return
    assert type(record) is type(read_record(checkpoint))
    assert len(record.calibration.scale) == len(record.labels)
    assert all(isinstance(label, str) for label in record.labels)


@given(changes=CHANGES, cut=CUT)
@settings(FUZZ, max_examples=200)
def test_any_change_to_a_head(tmp_path: Path, changes: list[tuple[int, bytes]], cut: int | None) -> None:
    head = LinearHead(np.ones((4, 3), np.float32), np.zeros(3, np.float32))
    (tmp_path / "head.npz").write_bytes(_mutated(head.to_bytes(), changes, cut))
    try:
        load_head(tmp_path / "head.npz", 3)
    except ArtifactError:
        return
