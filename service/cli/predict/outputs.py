"""Where answers go: standard output, a file of JSON lines, a table. Files are gone on with."""

import csv
import io
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from service.cli.predict.answering import Line, Outcome

if TYPE_CHECKING:
    from service.predicting.models import ServedModel

_FIRST: Final = (
    *("file", "place", "input_id", "categories", "warnings", "truncated", "cached", "problem"),
    *("id", "model", "model_digest"),
)
"""Columns of a table in front of the scores."""


class Output(ABC):
    """Takes lines. on_terminal: whether they can be seen where progress would be."""

    on_terminal = False

    def __init__(self, file: IO[bytes], *, named: bool) -> None:
        self._file = file
        self._named = named

    def has(self, _file: str, _place: str) -> bool:
        """Whether a record was answered by an earlier run."""
        return False

    def members(self, file: str, place: str) -> dict[str, str]:
        """What a line says of where its record stands."""
        return {"file": file, "place": place} if self._named else {}

    def write(self, line: Line) -> Outcome:
        """Writes a line, at once, and gives back what it was."""
        self._file.write(self._row(line.body))
        self._file.flush()
        return line.outcome

    @abstractmethod
    def _row(self, body: bytes) -> bytes:
        """How a JSON object is written, with the end of the line."""


class Printed(Output):
    """JSON lines to standard output. When nobody reads them any more (`| head`), the command ends quietly."""

    def __init__(self, *, named: bool) -> None:
        super().__init__(sys.stdout.buffer, named=named)
        self.on_terminal = sys.stdout.isatty()

    def write(self, line: Line) -> Outcome:
        """As Output has it."""
        try:
            return super().write(line)
        except BrokenPipeError as exc:
            with suppress(io.UnsupportedOperation):  # what is left in the buffer would fail again at the exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from exc

    def _row(self, body: bytes) -> bytes:
        return body + b"\n"


class _Kept(Output):
    """A file that may have answers of an earlier run; a last line that is not whole is cut off."""

    def __init__(self, path: Path, models: Sequence["ServedModel"]) -> None:
        super().__init__(path.open("r+b" if path.exists() else "w+b"), named=True)
        self._digests = {model.name: model.digest for model in models}
        self._model = models[0]
        self._done: set[tuple[str, str]] = set()
        try:
            self._go_on(path)
        except BaseException:
            self.close()
            raise

    def _go_on(self, path: Path) -> None:
        """Takes in what is there, and stands at its end."""
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            self._take(path, line)
        self._file.seek(end)
        self._file.truncate()
        if not end:
            self._begin()

    def has(self, file: str, place: str) -> bool:
        """As Output has it."""
        return (file, place) in self._done

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _begin(self) -> None:
        """Writes what comes before the first line."""

    def _take(self, path: Path, line: bytes) -> None:
        try:
            record = self._parse(line)
            if record is None:
                return
            place = str(record["file"]), str(record["place"])
            digests = {self._model.name: record.get("model_digest")}
            digests |= {answer["model"]: answer["model_digest"] for answer in record.get("also", ()) if "id" in answer}
        except (KeyError, TypeError, ValueError) as exc:
            raise _other(path, "holds something else than answers of this command") from exc
        for name, digest in digests.items():
            if digest and digest != self._digests.get(name, digest):
                raise _other(path, f"holds answers of another model ({digest})")
        self._done.add(place)

    @abstractmethod
    def _parse(self, line: bytes) -> Mapping[str, Any] | None:
        """What a line says; None if it is none with an answer. ValueError."""


class JsonLines(_Kept):
    """JSON lines in a file."""

    def _row(self, body: bytes) -> bytes:
        return body + b"\n"

    def _parse(self, line: bytes) -> Mapping[str, Any]:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("no object")  # noqa: TRY004  (it is what is in the file)
        return record


class Table(_Kept):
    """CSV: where a record stands, its categories, a score a label, or its problem. A row is a line.

    Columns of further models begin with their names.
    """

    def __init__(self, path: Path, models: Sequence["ServedModel"]) -> None:
        self._columns = [*_FIRST, *(f"score {label}" for label in models[0].labels)]
        for model in models[1:]:
            more = ("model_digest", "categories", *(f"score {label}" for label in model.labels))
            self._columns += [f"{model.name} {column}" for column in more]
        self._others = [model.name for model in models[1:]]
        super().__init__(path, models)

    def _begin(self) -> None:
        self._file.write(_csv(self._columns))

    def _row(self, body: bytes) -> bytes:
        record = json.loads(body)
        others = record.get("also", ())
        cells = record | _cells(record)
        for other in others:
            cells |= {f"{other.get('model')} {column}": cell for column, cell in _cells(other).items()}
        problems = [item["problem"]["detail"] for item in (record, *others) if "problem" in item]
        cells |= {
            "warnings": ";".join(warning["code"] for warning in record.get("warnings", ())),
            "problem": "; ".join(problems),
        }
        return _csv([cells.get(column) for column in self._columns])

    def _parse(self, line: bytes) -> Mapping[str, Any] | None:
        row = next(csv.reader([line.decode()]))
        if row == self._columns:
            return None
        record: dict[str, Any] = dict(zip(self._columns, row, strict=True))
        digests = {name: record[f"{name} model_digest"] for name in self._others}
        return record | {
            "also": [{"id": "", "model": name, "model_digest": digest} for name, digest in digests.items()]
        }


def _cells(answer: Mapping[str, Any]) -> dict[str, Any]:
    scores = zip(answer.get("labels", ()), answer.get("predictions", [()])[0], strict=True)
    categories = ";".join(category["label"] for category in answer.get("categories", ()))
    digest = answer.get("model_digest")
    return {"model_digest": digest, "categories": categories, **{f"score {label}": score for label, score in scores}}


@contextmanager
def open_output(path: Path | None, models: Sequence["ServedModel"], *, named: bool) -> Iterator[Output]:
    """Where answers of the models go. named: whether a printed line says from which file it is.

    A usage error if the file at `path` holds anything else than such answers.
    """
    if path is None:
        yield Printed(named=named)
        return
    kept = Table(path, models) if path.suffix.lower() == ".csv" else JsonLines(path, models)
    try:
        yield kept
    finally:
        kept.close()


def _csv(cells: list[Any]) -> bytes:
    text = io.StringIO()
    plain = [" ".join(cell.split()) if isinstance(cell, str) else cell for cell in cells]
    csv.writer(text, lineterminator="\n").writerow(plain)
    return text.getvalue().encode()


def _other(path: Path, what: str) -> click.UsageError:
    return click.UsageError(f"{path} {what}; name another file with --output, or delete it")
