"""Abstracts for the files of these tests, and what is read from bytes."""

import io

from service.input.item import Item
from service.input.read import read

A = (
    "We measure the branching fraction of the decay of charged B mesons to a kaon and two muons using collision data "
    "recorded at 13 TeV. The result agrees with the prediction of the Standard Model within two standard deviations."
)
B = (
    "We prove that every finitely generated residually finite group admits a faithful action by homeomorphisms on a "
    "Cantor set, and we study the growth of the associated orbit graphs."
)


def items(content: bytes | str, name: str = "", **columns: str) -> list[Item]:
    """What is read from these bytes, or from this text in UTF-8."""
    source = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return list(read(source, name, text_column=columns.get("text_column"), id_column=columns.get("id_column")))


def abstracts(content: bytes | str, name: str = "", **columns: str) -> list[str | None]:
    """The abstracts in it, white space around them cut."""
    return [item.abstract and item.abstract.strip() for item in items(content, name, **columns)]
