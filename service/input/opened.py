"""A file whose beginning is known before it is read."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any, BinaryIO, Final

from service.input.encoding import encoding_of, errors_of

HEAD: Final = 1 << 16
"""Bytes that are looked at."""


class Stream(io.RawIOBase):
    """`head`, then what `source` still gives, no more at a time than is there. Closing it leaves `source` open."""

    def __init__(self, head: bytes, source: BinaryIO) -> None:
        self._head = head
        self._read = getattr(source, "read1", source.read)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As RawIOBase has it."""
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._read(len(buffer)) or b""
        buffer[: len(data)] = data
        return len(data)


@dataclass(frozen=True)
class Opened:
    """A file to be read from its start. name: as it is called; suffix: of that, lower case, without a packing's.

    head: the first bytes, all of them if `complete`. source: the bytes, from the first on.
    """

    name: str
    head: bytes
    complete: bool
    source: io.BufferedReader

    @classmethod
    def over(cls, source: BinaryIO, name: str) -> "Opened":
        """Reads the head: HEAD bytes, or the first line if it holds a JSON object, so that pipes are not waited for."""
        read = getattr(source, "read1", source.read)
        head, complete = b"", False
        while len(head) < HEAD and not (head.startswith(b'{"') and b"\n" in head):
            data = read(HEAD - len(head))
            if not data:
                complete = True
                break
            head += data
        return cls(name, head, complete, io.BufferedReader(Stream(head, source), HEAD))

    @property
    def suffix(self) -> str:
        """`.csv` of `A.csv`; empty if there is none."""
        return PurePath(self.name).suffix.lower()

    @cached_property
    def encoding(self) -> str:
        """The codec of its text."""
        return encoding_of(self.head)

    @cached_property
    def beginning(self) -> str:
        """The head as text, without a character that is cut in two at its end."""
        head = self.head[: -(len(self.head) % 4)] if "utf-16" in self.encoding and len(self.head) % 4 else self.head
        text = head.decode(self.encoding, errors_of(self.encoding))
        return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

    def text(self, newline: str | None = None) -> io.TextIOWrapper:
        """All of it as text; `newline` as for `open`. To be called once."""
        return io.TextIOWrapper(self.source, self.encoding, errors_of(self.encoding), newline)
