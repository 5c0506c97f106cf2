"""`predict`: abstracts from files and papers, through the same cache that the API uses."""

from contextlib import ExitStack
from pathlib import Path

import click

from service.cli.common import Command, services
from service.cli.predict.answering import Answerer, Outcome
from service.cli.predict.files import Source, find_sources, opened_source
from service.cli.predict.outputs import Output, open_output
from service.cli.predict.progress import Progress
from service.input.errors import InputError
from service.input.read import read
from service.predicting.rendering import RenderOptions

SUFFIXES = (".csv", ".jsonl", ".ndjson")


def _check_output(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in SUFFIXES:
        raise click.BadParameter(f"its name has to end in one of {', '.join(SUFFIXES)}")
    return value


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--model", help="Model to ask; without, the default one.")
@click.option("--also", multiple=True, metavar="NAME", help="Further model to ask; may be given several times.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Lowest score of a category.")
@click.option("--top-k", type=click.IntRange(min=1), help="The most categories to print.")
@click.option("--text-column", metavar="NAME", help="Column or field with the abstract, if not a usual one.")
@click.option("--id-column", metavar="NAME", help="Column or field with the id that comes back as `input_id`.")
@click.option("--strict", is_flag=True, help="A problem in place of an answer with warnings.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_check_output,
    metavar="FILE",
    help="Write to this .csv or .jsonl; what it has by now is not done again.",
)
def predict(
    files: tuple[str, ...],
    model: str | None,
    also: tuple[str, ...],
    threshold: float | None,
    top_k: int | None,
    text_column: str | None,
    id_column: str | None,
    output: Path | None,
    strict: bool,
) -> None:
    """Classify the abstracts in FILES, in the files of folders, or in standard input for -.

    A file is a text, a paper as a PDF, or a list of records in one of many forms, packed or not: JSON lines, JSON, CSV,
    RIS, BibTeX, XML, ... An object's own `threshold`, `top_k` and `also` win over the options.

    Prints one response object a line, in order, as the API would send it. In place of a record that cannot be predicted
    stands an object with its `problem`; the rest goes on, and the exit status is 1. A file that is not read, or whose
    records cannot be used, is named with the remedy; the other files go on, and the exit status is 2.
    """
    with services() as opened, ExitStack() as stack:
        sources = find_sources(files, output)
        served = [opened.models.get(name) for name in (model, *also)]
        answerer = Answerer(opened, served[0], also, RenderOptions(threshold, top_k), strict=strict)
        out = stack.enter_context(open_output(output, served, named=len(sources) > 1 or files != (sources[0].path,)))
        progress = stack.enter_context(Progress(sources, quiet=out.on_terminal))
        columns = (text_column, id_column)
        refused = [source for source in sources if not _run(source, columns, answerer, out, progress)]
    if refused:
        raise click.exceptions.Exit(2)
    if bad := progress.seen["problem"]:
        raise click.ClickException(
            f"{bad} of {sum(progress.seen.values())} could not be predicted: see `problem` in the output."
        )


def _run(
    source: Source, columns: tuple[str | None, str | None], answerer: Answerer, out: Output, progress: Progress
) -> bool:
    """Answers every record of a file that `out` has not; whether the file could be read."""
    count = 0
    try:
        with opened_source(source) as file:
            progress.begin(source, file)
            for item in read(file, source.path, text_column=columns[0], id_column=columns[1]):
                count += 1
                outcome: Outcome = "skipped"
                if not out.has(source.path, item.place):
                    outcome = out.write(answerer.answer(item, out.members(source.path, item.place)))
                progress.step(outcome)
    except (InputError, OSError) as exc:
        progress.say(f"Error: {exc}")
        return False
    if not count:
        progress.say(f"{source.path}: there are no abstracts in it")
    return True
