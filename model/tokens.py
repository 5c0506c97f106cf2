"""Turns normalised texts into WordPiece ids with the tokenizer of a checkpoint or artifact."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import BertWordPieceTokenizer, Tokenizer

from model.errors import CheckpointError


def load_tokenizer(folder: Path, max_tokens: int, lowercase: bool = True) -> Tokenizer:
    """The tokenizer in `folder` (tokenizer.json, else vocab.txt); cuts to `max_tokens` incl. [CLS] and [SEP]."""
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "vocab.txt").is_file():
        tokenizer = Tokenizer.from_str(BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=lowercase).to_str())
    else:
        raise CheckpointError(f"{folder}: neither tokenizer.json nor vocab.txt")
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
