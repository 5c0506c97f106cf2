"""What Hugging Face's libraries read best: safetensors, configurations, and tokenizers of every kind.

The last two need transformers (the `train` extra) only where a folder has no config.json that says all, or no
tokenizer.json.
"""

import json
from pathlib import Path
from typing import Any, Final

from model.arrays import Array
from model.errors import CheckpointError

_STRAY_CAPITALS: Final = 0.02
"""Share of words with capitals: SciBERT's lower-case vocabulary has 0.5 %, one with case a quarter and more."""
_SAMPLE: Final = "We measure the mass of the top quark; naïve models (SU(3)×U(1)) fail at 13 TeV. 量子"
_ENDLESS: Final = frozenset({"Regex", "Precompiled"})
"""Parts of a tokenizer that can take any time over a text, and that no BERT has."""


def read_safetensors(path: Path) -> dict[str, Array]:
    """The tensors; see Checkpoint."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, OverflowError) as exc:
        raise CheckpointError(f"{path}: {exc}") from exc
    except KeyError as exc:
        raise CheckpointError(f"{path}: elements of type {exc} are not supported") from exc


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a BERT with all that its file leaves out, from config.json or Google's bert_config.json."""
    from transformers import AutoConfig, BertConfig

    if (folder / "config.json").is_file():
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    else:
        config = BertConfig.from_json_file(folder / "bert_config.json")
    return dict(config.to_dict())


def read_tokenizer(folder: Path) -> str:
    """The tokenizer in the form of tokenizer.json, made of whatever the folder has; it was tried on a text."""
    from tokenizers import Tokenizer

    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        tokenizer = _convert(folder)
    text = str(tokenizer.to_str())
    if found := _parts(json.loads(text)) & _ENDLESS:
        raise CheckpointError(f"{folder}: its tokenizer has a part of the kind {', '.join(sorted(found))}")
    tokenizer.encode(_SAMPLE)
    return text


def _convert(folder: Path) -> Any:
    from transformers import AutoTokenizer, BertConfig

    stated = folder / "tokenizer_config.json"
    settings = json.loads(stated.read_text("utf-8")) if stated.is_file() else {}
    more = {} if isinstance(settings.get("do_lower_case"), bool) else {"do_lower_case": _is_uncased(folder)}
    config = None if "tokenizer_class" in settings else BertConfig()
    tokenizer = AutoTokenizer.from_pretrained(
        folder, config=config, local_files_only=True, trust_remote_code=False, **more
    )
    if not tokenizer.is_fast:
        raise CheckpointError(f"{folder}: no tokenizer.json can be made of a {type(tokenizer).__name__}")
    return tokenizer.backend_tokenizer


def _is_uncased(folder: Path) -> bool:
    """Whether the vocabulary has hardly a word with capitals."""
    if not (folder / "vocab.txt").is_file():
        return True
    words = (folder / "vocab.txt").read_text("utf-8").splitlines()
    capitals = sum(word != word.lower() for word in words if not word.startswith("["))
    return capitals < _STRAY_CAPITALS * len(words)


def _parts(value: Any) -> set[str]:
    """Every key and `type` in the tokenizer but for the vocabulary."""
    if isinstance(value, list):
        return set().union(*map(_parts, value))
    if not isinstance(value, dict):
        return set()
    below = (_parts(item) for key, item in value.items() if key not in ("vocab", "merges"))
    return {str(value.get("type"))}.union(value, *below)
