"""pytorch_model.bin in both forms, and what the reader refuses."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from model.checkpoints.formats.pytorch import read_pytorch
from model.errors import CheckpointError
from tests.model.checkpoints.torch_files import Flat, Viewed, whole, write_legacy, write_raw_zip, write_zip

ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.legacy.bin"])
def test_both_forms_hold_what_the_safetensors_do(shared: Path, name: str) -> None:
    folder = shared / "golden" / "bert-parity"
    expected, found = load_file(folder / "model.safetensors"), read_pytorch(folder / name)
    assert set(found) - {"bert.embeddings.position_ids"} == set(expected)
    assert all(np.array_equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("dtype", ["<f4", "<f2", "<f8", "<i8"])
def test_element_types(tmp_path: Path, write: Any, dtype: str) -> None:
    tensor = whole("0", ARRAY.astype(dtype))
    found = read_pytorch(write(tmp_path / "x.bin", OrderedDict(a=tensor), [tensor.storage]))
    assert found["a"].dtype == dtype
    assert np.array_equal(found["a"], ARRAY)


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    bits = (ARRAY.view(np.uint32) >> 16).astype("<u2")
    tensor = whole("0", bits)
    found = read_pytorch(write_zip(tmp_path / "x.bin", {"a": tensor}, [tensor.storage]))
    assert found["a"].dtype == np.float32
    assert np.array_equal(found["a"], ARRAY)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_views_that_share_a_storage(tmp_path: Path, write: Any) -> None:
    flat = Flat("7", ARRAY.ravel())
    state = {
        "whole": Viewed(flat, (3, 4), (4, 1)),
        "turned": Viewed(flat, (4, 3), (1, 4)),
        "row": Viewed(flat, (4,), (1,), 8),
        "number": Viewed(flat, (), (), 5),
        "empty": Viewed(flat, (0, 4), (4, 1), 12),
    }
    found = read_pytorch(write(tmp_path / "x.bin", state, [flat]))
    assert np.array_equal(found["turned"], ARRAY.T)
    assert np.array_equal(found["row"], ARRAY[2])
    assert found["number"] == 5
    assert found["empty"].shape == (0, 4)


def test_a_state_dict_s_metadata_and_a_wrapping_are_read_over(tmp_path: Path) -> None:
    state: OrderedDict[str, Any] = OrderedDict(a=whole("0", ARRAY))
    state._metadata = OrderedDict(version=1)  # type: ignore[attr-defined]
    found = read_pytorch(write_zip(tmp_path / "x.bin", {"state_dict": state, "epoch": 3}, [state["a"].storage]))
    assert list(found) == ["a"]


class Harmful:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ((os.system, "true"), "system"),
        ((eval, "1"), "builtins.eval"),
        ((getattr, {}, "pop"), "builtins.getattr"),
        ((__import__, "os"), "builtins.__import__"),
        ((bytearray, 1 << 40), "builtins.bytearray"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_refused_by_its_name_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: tuple[Any, ...], name: str, protocol: int
) -> None:
    path = write_raw_zip(tmp_path / "x.bin", pickle.dumps({"a": Harmful(*call)}, protocol), [])
    with pytest.raises(CheckpointError, match=f"{name}, which rebuilds no tensor: refused".replace("builtins", r"\w+")):
        read_pytorch(path)


def test_code_in_any_pickle_of_the_legacy_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(pickle.dumps(Harmful(os.system, "true"), 2))
    with pytest.raises(CheckpointError, match="system"):
        read_pytorch(tmp_path / "x.bin")


@pytest.mark.parametrize(
    ("size", "stride", "offset", "fault"),
    [
        ((3, 4), (4, 1), 1, "a: it reaches beyond its storage"),
        ((3, 4), (5, 1), 0, "a: it reaches beyond its storage"),
        ((1 << 20, 1 << 20), (0, 0), 0, "a: it has more elements"),
        ((3, 4), (4, 1), -1, "a: sizes"),
        ((-3, -4), (4, 1), 0, "a: sizes"),
        ((3, 4), (4,), 0, "a: sizes"),
        ((3, "4"), (4, 1), 0, "a: sizes"),
    ],
)
def test_a_view_beyond_its_storage_is_refused(tmp_path: Path, size: Any, stride: Any, offset: int, fault: str) -> None:
    flat = Flat("0", ARRAY.ravel())
    path = write_zip(tmp_path / "x.bin", {"a": Viewed(flat, size, stride, offset)}, [flat])
    with pytest.raises(CheckpointError, match=fault):
        read_pytorch(path)


@pytest.mark.parametrize("claimed", [11, 13, -1, 1 << 60])
@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_a_storage_of_another_size_than_claimed_is_refused(tmp_path: Path, write: Any, claimed: int) -> None:
    flat = Flat("0", ARRAY.ravel(), claimed)
    path = write(tmp_path / "x.bin", {"a": Viewed(flat, (2,), (1,))}, [flat])
    with pytest.raises(CheckpointError, match="storage 0"):
        read_pytorch(path)


@pytest.mark.parametrize("value", [[], {}, {"a": 1}, {1: 2}, "text", {"state_dict": {"a": "b"}}])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(CheckpointError):
        read_pytorch(write_zip(tmp_path / "x.bin", value, []))


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("cut", [0, 1, 30, -1, -40])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, cut: int) -> None:
    tensor, path = whole("0", ARRAY), tmp_path / "x.bin"
    (write_zip if form == "zip" else write_legacy)(path, {"a": tensor}, [tensor.storage])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"x\.bin|storage 0"):
        read_pytorch(path)


def test_bytes_behind_the_last_storage_are_refused(tmp_path: Path) -> None:
    tensor = whole("0", ARRAY)
    path = write_legacy(tmp_path / "x.bin", {"a": tensor}, [tensor.storage])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(CheckpointError, match="after the last"):
        read_pytorch(path)
