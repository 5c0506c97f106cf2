"""`model likeness`: what texts are measured by, made again."""

from collections.abc import Iterator
from pathlib import Path

import click

from model.artifact import SHIPPED, TOKENIZER
from model.text.hyphens import WORDS
from service.cli.common import Command
from service.cli.model.source import FILE


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=FILE)
def likeness(files: tuple[Path, ...]) -> None:
    """Make again, from the abstracts in FILES, the words and the table that tell what is like an abstract.

    They lie in model/text. The words decide the normal form of texts, too: if they change, NORMALISER_VERSION has to.
    """
    from model.text.tables import write_tables
    from model.training.data.rows import read_texts

    def read() -> Iterator[str]:
        for file in files:
            click.echo(f"reading {file.name}", err=True)
            yield from read_texts(file)

    write_tables(read, SHIPPED / "arxiv-mini" / TOKENIZER, WORDS.parent)
    click.echo(f"wrote what {WORDS.parent} measures texts by", err=True)
