"""Turns normalised texts into WordPiece ids with the tokenizer of an artifact or a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer


def load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    """The tokenizer of an artifact, from its tokenizer.json; cuts to `max_tokens` incl. [CLS] and [SEP]."""
    return prepare(Tokenizer.from_file(str(folder / "tokenizer.json")), max_tokens)


def prepare(tokenizer: Tokenizer, max_tokens: int) -> Tokenizer:
    """The same tokenizer, without padding, cutting to `max_tokens` incl. [CLS] and [SEP]."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


def count_tokens(encoding: Encoding) -> int:
    """Tokens of the whole text, special tokens included: `len(encoding.ids)` and those that were cut off."""
    return len(encoding.ids) + sum(part.special_tokens_mask.count(0) for part in encoding.overflowing)
