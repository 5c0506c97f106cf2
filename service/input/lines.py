"""What `predict` reads: one text, or JSON objects a line, from a file of any length."""

import gzip
import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from service.errors import InvalidRequest
from service.input.json_text import malformed, parse_json

MAX_LINE: Final = 1 << 20
"""Bytes of a line, or of a text. An abstract has far fewer; other fields of its object may need some."""

_SUFFIXES: Final = (".jsonl", ".ndjson")
_UNPACK: Final[dict[str, Callable[..., IO[bytes]]]] = {".gz": gzip.open, ".xz": lzma.open}  # type: ignore[dict-item]
_OBJECT: Final = re.compile(rb'\s*\{\s*["}]')
_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Item:
    """Something to predict. line: its number, None for a whole text. read: bytes of the file so far, packed ones.

    body: the bytes; one more than MAX_LINE if there were more.
    """

    line: int | None
    read: int
    body: bytes

    def value(self) -> Any:
        """The request that is meant, not yet checked. Raises ServiceError."""
        if len(self.body) > MAX_LINE:
            raise InvalidRequest({"_schema": [f"It has more than {MAX_LINE} bytes."]})
        if self.line is not None:
            return parse_json(self.body)
        try:
            return {"abstract": self.body.decode()}
        except UnicodeDecodeError as exc:
            raise malformed(f"The text is not UTF-8 (byte {exc.start}).") from exc


def read_items(source: IO[bytes], name: str) -> Iterator[Item]:
    """The items of a file, in order; blank lines between objects are passed over. Packed files (.gz, .xz) are unpacked.

    It holds an object a line if its name ends in .jsonl or .ndjson, or if its first line that is not blank begins like
    an object, with `{"`. Otherwise all of it is one text. OSError, EOFError or LZMAError for a damaged packed file.
    """
    path = Path(name)
    unpack = _UNPACK.get(path.suffix)
    stream = unpack(source) if unpack else source
    suffix = path.with_suffix("").suffix if unpack else path.suffix
    lines = _lines(stream)
    number, line = next(lines, (1, b""))
    if suffix not in _SUFFIXES and not _OBJECT.match(line):
        yield Item(None, _position(source), line + stream.read(max(0, MAX_LINE + 1 - len(line))))
        return
    while line:
        yield Item(number, _position(source), line)
        number, line = next(lines, (0, b""))


def _position(source: IO[bytes]) -> int:
    return source.tell() if source.seekable() else 0


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line that is not blank; of one that is too long only the beginning."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_MARK)
        if line.strip():
            yield number, line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)
