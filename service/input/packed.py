"""Packed files: gzip, xz, bzip2, and zip archives with several files. What they hold may not grow without end."""

import bz2
import gzip
import io
import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import IO, Any, BinaryIO, Final, cast

from service.input.errors import Unsupported, Unusable
from service.input.opened import Opened

_PACKINGS: Final[tuple[tuple[bytes, str, Callable[..., Any]], ...]] = (
    (b"\x1f\x8b", "gzip", gzip.open),
    (b"\xfd7zXZ\0", "xz", lzma.open),
    (b"BZh", "bzip2", bz2.open),
)
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_SUFFIXES: Final = (".gz", ".xz", ".bz2")
_FREE: Final = 64 << 20
_RATIO: Final = 100
"""Unpacked, a file may have _FREE bytes and _RATIO times its packed ones; texts shrink to a third or a tenth."""
_MAX_ZIP: Final = 1 << 30
"""Bytes of an archive from a pipe, which has to be written to a file first."""
_MAX_DIRECTORY: Final = 4 << 20
"""Bytes of an archive's list of files, some 40,000 of them."""
_DOCUMENTS: Final = (
    ("word/", "a Word document (docx)", "Save it as PDF or as plain text."),
    ("xl/", "an Excel workbook (xlsx)", "Save it as CSV, with a column `abstract`."),
    ("ppt/", "a PowerPoint file (pptx)", "Give the paper's PDF."),
    ("content.xml", "an OpenDocument file", "Save it as PDF, as plain text, or as CSV."),
    ("META-INF/container.xml", "an e-book (EPUB)", "Give the paper's PDF."),
    ("META-INF/MANIFEST.MF", "a Java archive", "Give files with abstracts."),
    ("data.pkl", "a PyTorch file", "Give files with abstracts."),
)


def is_archive(opened: Opened) -> bool:
    """Whether it is a zip archive."""
    return opened.head.startswith(_ZIP)


def unpacked(opened: Opened) -> Opened | None:
    """The file within a packed one; None if it is not packed. Damage raises Unusable, here or in reading."""
    for magic, form, unpack in _PACKINGS:
        if opened.head.startswith(magic):
            packed = _Counted(opened.source)
            stream = _Unpacked(form, unpack(packed), packed)
            return Opened.over(cast(BinaryIO, io.BufferedReader(stream)), _inner_name(opened.name))
    return None


def members(opened: Opened, original: BinaryIO) -> Iterator[tuple[str, Opened]]:
    """Name and content of each file in an archive, in its order. Unsupported: it is a document, or encrypted.

    `original`: the file itself, which is read from where it can be moved in.
    """
    with tempfile.TemporaryFile() as spooled:
        try:
            yield from _members(_movable(opened, original, spooled))
        except (zipfile.BadZipFile, struct.error, NotImplementedError, UnicodeDecodeError) as exc:
            raise Unusable(
                "zip", f"The archive is damaged or of a kind that is not known: {exc}.", "Pack it again."
            ) from exc


def _members(source: IO[bytes]) -> Iterator[tuple[str, Opened]]:
    _check_directory(source)
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        _refuse_documents(names)
        for info in archive.infolist():
            path = PurePath(info.filename)
            if info.is_dir() or path.name.startswith(".") or "__MACOSX" in path.parts:
                continue
            if info.flag_bits & 1:
                raise Unsupported("zip", "It is an encrypted archive.", "Unpack it, and give the files.")
            with archive.open(info) as member:
                stream = _Unpacked("zip", member, _Known(info.compress_size))
                yield info.filename, Opened.over(cast(BinaryIO, io.BufferedReader(stream)), info.filename)


def _refuse_documents(names: list[str]) -> None:
    for mark, form, remedy in _DOCUMENTS:
        if any(
            name == mark or name.endswith("/" + mark) or (mark[-1] == "/" and name.startswith(mark)) for name in names
        ):
            raise Unsupported(form, f"It is {form}.", remedy)


def _movable(opened: Opened, original: BinaryIO, spooled: IO[bytes]) -> IO[bytes]:
    if original.seekable():
        original.seek(0)
        return original
    size = 0
    while data := opened.source.read(1 << 20):
        size += len(data)
        if size > _MAX_ZIP:
            raise Unusable("zip", f"The archive has more than {_MAX_ZIP} bytes.", "Give it as a file, or unpack it.")
        spooled.write(data)
    return spooled


def _check_directory(source: IO[bytes]) -> None:
    """Raises Unusable for an archive whose list of files would take too much memory."""
    end = source.seek(0, io.SEEK_END)
    source.seek(max(0, end - (1 << 16) - 22))
    tail = source.read()
    at = tail.rfind(b"PK\x05\x06")
    if at >= 0 and len(tail) >= at + 16 and struct.unpack_from("<I", tail, at + 12)[0] > _MAX_DIRECTORY:
        raise Unusable("zip", "There are too many files in the archive.", "Unpack it, or put them into several.")
    source.seek(0)


def _inner_name(name: str) -> str:
    path = PurePath(name)
    return path.name.removesuffix(path.suffix) if path.suffix.lower() in _SUFFIXES else path.name


class _Counted:
    """A file that counts what was read of it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        data = self._source.read(size)
        self.size += len(data)
        return data


class _Known:
    """The packed size where it is known beforehand."""

    def __init__(self, size: int) -> None:
        self.size = size


class _Unpacked(io.RawIOBase):
    """What is unpacked, within its bound, damage translated."""

    def __init__(self, form: str, source: IO[bytes], packed: _Counted | _Known) -> None:
        self._form = form
        self._source = source
        self._packed = packed
        self._size = 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As RawIOBase has it."""
        try:
            data = self._source.read(len(buffer))
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as exc:
            raise Unusable(
                self._form, f"The packed file ({self._form}) is damaged: {exc}.", "Get it once more."
            ) from exc
        self._size += len(data)
        if self._size > _FREE + _RATIO * self._packed.size:
            raise Unusable(
                self._form, f"The file grows to more than {_RATIO} times its size.", "Unpack it, and see what it is."
            )
        buffer[: len(data)] = data
        return len(data)
