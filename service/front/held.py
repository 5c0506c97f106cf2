"""Bytes that are held for somebody else: bodies that come in, answers that are not read yet."""

import io
import tempfile
import threading
from typing import IO, Final, cast

from service.errors import ServiceError

SPOOL: Final = 1 << 20
"""Bytes of one body or answer that stay in memory; more go to a temporary file."""


class Room:
    """How many bytes all that is held in a process may take, in memory and in temporary files. Safe to share."""

    def __init__(self, memory: int = 64 << 20, disk: int = 2 << 30) -> None:
        self._lock = threading.Lock()
        self.memory = memory
        self.disk = disk

    def take(self, *, memory: int = 0, disk: int = 0) -> bool:
        """Takes as much if there is as much; negative numbers give back."""
        with self._lock:
            if memory > self.memory or disk > self.disk:
                return False
            self.memory -= memory
            self.disk -= disk
            return True


class Held:
    """Bytes that come in pieces. They count against `room` until `close`. For one thread at a time."""

    __slots__ = ("_file", "_pieces", "_room", "size")

    def __init__(self, room: Room) -> None:
        self.size = 0
        self._room = room
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Adds a piece. Raises ServiceError `busy` if there is no room; what was there before stays."""
        size = len(data)
        if self._file is None and self.size + size <= SPOOL and self._room.take(memory=size):
            self._pieces.append(data)
        else:
            self._write_to_file(data)
        self.size += size

    def _write_to_file(self, data: bytes) -> None:
        moved = 0 if self._file else self.size
        if not self._room.take(memory=-moved, disk=moved + len(data)):
            raise ServiceError("busy", "There is no room left for what others send or do not read.")
        if self._file is None:
            self._file = cast(IO[bytes], tempfile.TemporaryFile())  # noqa: SIM115  (`close` closes it)
            self._file.write(b"".join(self._pieces))
            self._pieces.clear()
        self._file.write(data)

    @property
    def content(self) -> bytes | None:
        """All of it, if it is in memory."""
        if self._file is not None:
            return None
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def open(self) -> IO[bytes]:
        """All of it, to be read from the start; the file belongs to this object."""
        if self._file is None:
            return io.BytesIO(self.content or b"")
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Gives the room back. Call it once."""
        if self._file is None:
            self._room.take(memory=-self.size)
            self._pieces.clear()
        else:
            self._room.take(disk=-self.size)
            self._file.close()
