"""Packed files, and archives with several; what grows without end is stopped."""

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from service.input.errors import Unsupported, Unusable
from service.input.item import MAX_RECORD
from service.input.read import read
from tests.service.input.samples import A, B, abstracts, items

PACKINGS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
LINE = json.dumps({"abstract": A}).encode() + b"\n"


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


class Pipe(io.RawIOBase):
    """Bytes that cannot be gone back in."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._content.readinto(buffer)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", ["", "a", "a.jsonl"])
def test_whatever_is_in_a_packed_file(packing: str, name: str) -> None:
    pack = PACKINGS[packing]
    assert abstracts(pack(LINE * 2), f"{name}.{packing}") == [A, A]
    assert abstracts(pack(f'id,abstract\n1,"{B}"\n'.encode("utf-16")), name) == [B]
    assert abstracts(pack(A.encode())) == [A]
    assert items(pack(b"%PDF-1.4"))[0].pdf == b"%PDF-1.4"


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_damaged_one(packing: str) -> None:
    packed = PACKINGS[packing](LINE * 1000)
    for broken in (packed[: len(packed) // 2], packed[:20] + b"damaged!" + packed[28:]):
        with pytest.raises(Unusable, match="damaged") as caught:
            items(broken, "a.jsonl")
        assert "a.jsonl" in str(caught.value)


def test_an_archive_of_several() -> None:
    packed = zipped(
        {
            "a.jsonl": LINE,
            "b/c.csv": f'id,abstract\n7,"{B}"\n'.encode(),
            "p.pdf": b"%PDF-1.4",
            "__MACOSX/x": b"\0",
            ".x": b"",
        }
    )
    found = items(packed, "papers.zip")
    assert [item.place for item in found] == ["a.jsonl, line 1", "b/c.csv, row 2", "p.pdf, PDF"]
    assert [item.input_id for item in found] == [None, "7", "p.pdf"]
    assert list(read(io.BufferedReader(Pipe(packed)), "-")) == found


def test_a_file_in_an_archive_that_cannot_be_read_is_named() -> None:
    found = items(zipped({"a.png": b"\x89PNG\r\n\x1a\n", "b.jsonl": LINE, "c": gzip.compress(LINE)}))
    assert [item.problem is None for item in found] == [False, True, True]
    assert "PNG" in (found[0].problem or "")
    with pytest.raises(Unusable, match="PNG"):
        items(zipped({"a.png": b"\x89PNG\r\n\x1a\n"}))
    assert items(zipped({})) == []


def test_packings_around_one_another_have_an_end() -> None:
    assert abstracts(gzip.compress(bz2.compress(LINE))) == [A]
    with pytest.raises(Unusable, match="several times"):
        items(gzip.compress(bz2.compress(lzma.compress(LINE))))


def test_broken_and_encrypted_archives() -> None:
    packed = zipped({"a.jsonl": LINE})
    with pytest.raises(Unusable, match="damaged"):
        items(packed[: len(packed) // 2])
    at = packed.index(b"PK\x01\x02")
    with pytest.raises(Unsupported, match="encrypted"):
        items(packed[:6] + b"\1" + packed[7 : at + 8] + b"\1" + packed[at + 9 :])


def test_an_archive_of_very_many_files_is_refused_before_its_list_is_read() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(30_000):
            archive.writestr(f"{'x' * 200}{i}", b"")
    with pytest.raises(Unusable, match="too many"):
        items(packed.getvalue())


@pytest.mark.parametrize(
    "bomb", [gzip.compress(b"\0" * (70 << 20)), lzma.compress(b" " * (70 << 20)), zipped({"a.txt": b"[" * (70 << 20)})]
)
def test_a_bomb_is_stopped_within_bounded_memory(bomb: bytes) -> None:
    tracemalloc.start()
    with pytest.raises((Unusable, Unsupported)):
        items(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 << 20


def test_a_line_that_is_too_long_is_named_and_the_next_one_read() -> None:
    first, second = items(b'{"x": "' + b"y" * (3 * MAX_RECORD) + b'"}\n' + LINE, "a.jsonl")
    assert "more than" in (first.problem or "")
    assert (second.line, second.abstract) == (2, A)


class Endless(io.RawIOBase):
    """Lines without end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = LINE[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


def test_items_come_before_the_input_ends() -> None:
    found = read(io.BufferedReader(Endless()))
    assert [next(found).line for _ in range(3)] == [1, 2, 3]


def test_many_records_of_a_list_take_no_more_memory_than_one() -> None:
    tracemalloc.start()
    content = io.BytesIO(b"[" + b", ".join([LINE.strip()] * 5_000) + b"]")
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    assert sum(1 for _ in read(content)) == 5_000
    assert tracemalloc.get_traced_memory()[1] - before < 4 << 20
    tracemalloc.stop()
