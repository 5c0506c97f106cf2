"""What a frozen encoder says of each text, computed once and kept on disk."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from model.engines.base import FeatureEngine
from model.errors import TrainingError

Floats = np.ndarray[Any, np.dtype[np.float32]]

_FLUSH_EVERY: Final = 64  # rows


def cache_name(encoder: str, max_tokens: int, texts: Sequence[str]) -> str:
    """The name of the file for these texts in this order, read by the encoder with this digest."""
    state = hashlib.sha256(f"{encoder} {max_tokens}".encode())
    for text in texts:
        data = text.encode()
        state.update(len(data).to_bytes(8, "big") + data)
    return f"features-{state.hexdigest()[:24]}.f32"


def compute_features(
    engine: FeatureEngine,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    cache: Path,
    on_row: Callable[[int, int], None],
) -> Floats:
    """The pooled vectors [texts, hidden], those in the file `cache` read and the others computed and added to it.

    The file grows row by row, so that an interrupted run goes on where it stopped. `on_row` hears (rows there, rows in
    all). EngineError when the engine fails on a text.
    """
    if not texts:
        raise TrainingError("there are no texts")
    hidden = len(engine.features(tokenizer.encode(texts[0]).ids))
    width = hidden * 4
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("ab+") as file:
        done = min(file.seek(0, 2) // width, len(texts))
        file.truncate(done * width)  # a row that was cut by an interruption is not one
        for i in range(done, len(texts)):
            file.write(engine.features(tokenizer.encode(texts[i]).ids).astype("<f4").tobytes())
            if i % _FLUSH_EVERY == 0:
                file.flush()
            on_row(i + 1, len(texts))
    features: Floats = np.fromfile(cache, "<f4").reshape(len(texts), hidden)
    return features
