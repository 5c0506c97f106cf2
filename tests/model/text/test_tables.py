"""What texts are measured by, made from a few."""

from pathlib import Path

from model.artifact import SHIPPED, TOKENIZER
from model.text import hyphens, likeness
from model.text.tables import write_tables

TEXTS = ["We measure the mass of the quark in proton data.", "We prove the theorem of the energy."] * 4000


def test_words_and_table_are_made_and_read(tmp_path: Path) -> None:
    write_tables(lambda: TEXTS, SHIPPED / "arxiv-mini" / TOKENIZER, tmp_path)
    assert set((tmp_path / "words.txt").read_text().split()) >= {"mass", "quark", "theorem"}
    table = likeness.read_table(tmp_path / "likeness.npz")
    assert table.scores["mass"] > 1 > -1 > table.scores["she"]
    of, the = table.places["of"], table.places["the"]
    assert table.order[of, the] > 1 > table.order[the, of]


def test_the_shipped_table_tells_abstracts_from_other_prose() -> None:
    abstract = likeness.likeness("We prove an upper bound on the spectral gap of random regular graphs.")
    story = likeness.likeness("She opened the door and looked at the old man who sat by the fire.")
    shuffled = likeness.likeness("gap of the an on bound We random upper prove regular spectral graphs of.")
    assert story.words < -1 < 0.3 < abstract.words
    assert shuffled.order < 0 < abstract.order
    assert likeness.likeness("x = 1") == (0, 0.0, 0.0, 0.0)
    assert "mass" in hyphens.known_words()
