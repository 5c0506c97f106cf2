"""Forms of files that are recognised and not read: each is refused by its name, with what to do instead."""

import re
from typing import Final

from service.input.errors import Unsupported
from service.input.opened import Opened

_TABLE: Final = "Save it as CSV, with a column `abstract`."
_LINES: Final = 'Write it as JSON lines, like {"abstract": "..."}.'
_PAPER: Final = "Give the paper's PDF, or its abstract as plain text."
_ARCHIVE: Final = "Unpack it, and give the files."
_PICTURE: Final = "Give the text: no characters are recognised in pictures."

_BYTES: Final = (
    (b"\x1f\x9d", "a file packed with compress", _ARCHIVE),
    (b"(\xb5/\xfd", "a file packed with zstd", "Unpack it: zstd -d FILE"),
    (b"\x04\x22\x4d\x18", "a file packed with lz4", "Unpack it: lz4 -d FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _ARCHIVE),
    (b"Rar!\x1a\x07", "a RAR archive", _ARCHIVE),
    (b"PAR1", "a Parquet file", _LINES),
    (b"ARROW1", "an Arrow file", _LINES),
    (b"FEA1", "a Feather file", _LINES),
    (b"ORC", "an ORC file", _LINES),
    (b"Obj\x01", "an Avro file", _LINES),
    (b"SQLite format 3\0", "an SQLite database", _TABLE),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _LINES),
    (b"\x93NUMPY", "a NumPy array", _LINES),
    (b"\x80\x04", "a Python pickle", _LINES),
    (b"\x80\x05", "a Python pickle", _LINES),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Word, Excel or PowerPoint file", "Save it as PDF, or as CSV."),
    (b"{\\rtf", "an RTF document", _PAPER),
    (b"%!PS", "a PostScript file", "Make a PDF of it: ps2pdf FILE"),
    (b"AT&TFORM", "a DjVu file", _PAPER),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", _PICTURE),
    (b"\xff\xd8\xff", "a picture (JPEG)", _PICTURE),
    (b"GIF87a", "a picture (GIF)", _PICTURE),
    (b"GIF89a", "a picture (GIF)", _PICTURE),
    (b"II*\0", "a picture (TIFF)", _PICTURE),
    (b"MM\0*", "a picture (TIFF)", _PICTURE),
    (b"RIFF", "a picture, a sound or a film", _PICTURE),
    (b"\0\0\0\x0cjP  ", "a picture (JPEG 2000)", _PICTURE),
    (b"ID3", "a sound", _PICTURE),
    (b"\x7fELF", "a program", _PAPER),
    (b"MZ\x90", "a program", _PAPER),
)  # fmt: skip
_TEXTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), name, remedy)
    for pattern, name, remedy in (
        (r"\A(%[^\n]*\n\s*)*\\(documentclass|documentstyle|begin\{|input\b|usepackage|section\*?\{)", "LaTeX source",
         _PAPER),
        (r"\A(--[^\n]*\n\s*|/\*[^*]*\*/\s*)*(create (table|database)|insert into|drop table|begin transaction)\b",
         "an SQL dump", _TABLE),
        (r"\A@(prefix|base)\s+\S*\s*<", "RDF (Turtle)", _LINES),
        (r"\A(<[a-z]+:[^>\s]+>\s+){2}", "RDF (N-Triples)", _LINES),
        (r"\A%YAML|\A---\n\s*(-\s+)?[\w-]+:\s", "YAML", _LINES),
        (r"\A(From \S+ .*\d{4}|(Received|MIME-Version|Delivered-To|Return-Path): )", "an e-mail", _PAPER),
        (r"\A(#!|import \w+$|from \w+ import )", "a program", _PAPER),
    )
)  # fmt: skip
_CONTROL: Final = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def refuse_bytes(opened: Opened) -> None:
    """Raises Unsupported for what its first bytes name."""
    head = opened.head
    for magic, name, remedy in _BYTES:
        if head.startswith(magic):
            raise Unsupported(name, f"It is {name}.", remedy)
    if head[257:262] == b"ustar":
        raise Unsupported("a tar archive", "It is a tar archive.", "Unpack it, and give the files: tar xf FILE")
    if head[4:8] == b"ftyp":
        raise Unsupported("a film or a picture", "It is a film or a picture.", _PICTURE)


def refuse_text(opened: Opened) -> None:
    """Raises Unsupported for what its first characters name, and for what is no text at all."""
    head = opened.beginning[:8192].lstrip()
    for pattern, name, remedy in _TEXTS:
        if pattern.search(head):
            raise Unsupported(name, f"It is {name}.", remedy)
    if len(_CONTROL.findall(head)) * 50 > len(head):
        raise Unsupported("binary data", "It is neither text nor a form of file that is known.", _PAPER)
