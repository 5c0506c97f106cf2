"""What the server remembers over a kill: one JSON object a line, written to the file before the answer is sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """Appends records to `path`; without a path nothing is kept. A line cut by a kill is dropped when read again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0) if path else None

    def records(self) -> Iterator[dict[str, Any]]:
        if self._path is None:
            return
        for line in self._path.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def append(self, record: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(record).encode() + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
