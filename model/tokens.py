"""Turns normalised texts into WordPiece ids with the tokenizer of a checkpoint or artifact."""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import BertWordPieceTokenizer, Tokenizer

from model.errors import CheckpointError

_STRAY_CAPITALS = 0.02
"""Share of words with capitals: SciBERT's lower-case vocabulary has 0.5 %, one with case a quarter and more."""


def load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    """The tokenizer in `folder` (tokenizer.json, else vocab.txt); cuts to `max_tokens` incl. [CLS] and [SEP].

    With vocab.txt, texts are lower-cased if tokenizer_config.json says so or, where that is silent, if the vocabulary
    has hardly a word with capitals.
    """
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "vocab.txt").is_file():
        words = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=_is_uncased(folder))
        tokenizer = Tokenizer.from_str(words.to_str())
    else:
        raise CheckpointError(f"{folder}: neither tokenizer.json nor vocab.txt")
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _is_uncased(folder: Path) -> bool:
    try:
        stated = json.loads((folder / "tokenizer_config.json").read_text("utf-8")).get("do_lower_case")
    except FileNotFoundError:
        stated = None
    except (OSError, ValueError, AttributeError) as exc:
        raise CheckpointError(f"{folder / 'tokenizer_config.json'}: {exc}") from exc
    if isinstance(stated, bool):
        return stated
    words = (folder / "vocab.txt").read_text("utf-8").splitlines()
    capitals = sum(word != word.lower() for word in words if not word.startswith("["))
    return capitals < _STRAY_CAPITALS * len(words)


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
