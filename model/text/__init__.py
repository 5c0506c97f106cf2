"""What is hashed and classified: one normal form for abstracts that differ only in how they were copied."""

from model.text.edges import cut_edges
from model.text.normal import NORMALISER_VERSION, normalise

__all__ = ["NORMALISER_VERSION", "cut_edges", "normalise"]
