"""`predict`: abstracts from a file, or a paper's, through the same cache that the API uses."""

import io
import json
import lzma
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click
from marshmallow import EXCLUDE

from model.errors import ModelError
from service.bootstrap import Services
from service.cli.common import Command, progress_bar, services
from service.errors import ServiceError
from service.input.lines import Item, read_items
from service.predicting.rendering import render
from service.predicting.requests import PredictRequest, load, render_options
from service.problems import describe

if TYPE_CHECKING:
    from service.pdf.extract import Extractor

Answer = Callable[[Item], tuple[bytes, str]]
"""A line of output, and what it was: hit, miss or problem."""


@click.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--model", help="Model to ask; without, the default one.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Lowest score of a category.")
@click.option("--top-k", type=click.IntRange(min=1), help="The most categories to print.")
def predict(file: str, model: str | None, threshold: float | None, top_k: int | None) -> None:
    """Classify the abstracts in FILE, or in standard input for -.

    FILE is one text, or a paper as a PDF, or JSON objects with `abstract`, one a line: if its name ends in .jsonl or
    .ndjson (also packed, .gz or .xz), or its first line begins with {". An object's own `threshold` and `top_k` win
    over the options; its other fields do not matter.

    Prints one response object a line, in order, as the API would send it. In place of a bad line stands an object with
    its `problem`; the rest goes on, and the exit status is 1.
    """
    with services() as opened, ExitStack() as stack:
        source = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        is_paper = file.lower().endswith(".pdf") or _starts_like_pdf(source)
        answer = _answerer(opened, model, threshold, top_k, opened.pdfs if is_paper else None)
        items = _paper(source) if is_paper else read_items(source, file)
        seen = _run(items, file, answer, sys.stdout.buffer)
    if seen["problem"]:
        raise click.ClickException(
            f"{seen['problem']} of {sum(seen.values())} could not be predicted: see `problem` in the output."
        )


def _starts_like_pdf(source: IO[bytes]) -> bool:
    return isinstance(source, io.BufferedReader) and source.peek(5).startswith(b"%PDF-")


def _paper(source: IO[bytes]) -> Iterator[Item]:
    """All of a PDF, or so much that it is seen to be too large."""
    from service.pdf.extract import MAX_BYTES

    body = source.read(MAX_BYTES + 1)
    yield Item(None, len(body), body)


def _answerer(
    opened: Services, name: str | None, threshold: float | None, top_k: int | None, pdfs: "Extractor | None"
) -> Answer:
    """Answers texts and objects, or, with `pdfs`, papers."""
    from service.predicting.papers import read_paper

    model = opened.models.get(name)
    schema = PredictRequest(unknown=EXCLUDE)

    def answer(item: Item) -> tuple[bytes, str]:
        try:
            asked: dict[str, Any] = {"threshold": threshold, "top_k": top_k}
            more = None
            if pdfs is None:
                asked |= load(schema, item.value())
            else:
                found, asked["abstract"] = read_paper(pdfs, item.body)
                more = found.members()
            answered = opened.predictor.predict_one(model, asked["abstract"])
        except (ModelError, ServiceError) as exc:
            return _problem(item, exc), "problem"
        return render(answered, render_options(asked), more), "hit" if answered.outcome == "hit" else "miss"

    return answer


def _problem(item: Item, error: Exception) -> bytes:
    line = {} if item.line is None else {"line": item.line}
    return json.dumps({"problem": describe(error).body() | line}, ensure_ascii=False).encode()


def _run(items: Iterable[Item], name: str, answer: Answer, out: IO[bytes]) -> dict[str, int]:
    """Answers every item; how many of each outcome there were. The bar moves with the bytes read."""
    from rich.progress import TextColumn

    seen = {"hit": 0, "miss": 0, "problem": 0}
    size = None if name == "-" else Path(name).stat().st_size
    counts = TextColumn("{task.fields[hit]} stored, {task.fields[miss]} computed, {task.fields[problem]} bad")
    with progress_bar(counts, disable=out.isatty()) as progress:
        task = progress.add_task("predicting", total=size, **cast(dict[str, Any], seen))
        try:
            for item in items:
                line, outcome = answer(item)
                out.write(line + b"\n")
                out.flush()
                seen[outcome] += 1
                progress.update(task, completed=item.read, **cast(dict[str, Any], seen))
        except (EOFError, lzma.LZMAError) as exc:
            raise click.ClickException(f"{name}: the packed file is damaged: {exc}") from exc
        progress.update(task, total=size or 1, completed=size or 1)
    return seen
