"""Small checkpoints that the tests make themselves: random weights, a vocabulary of a few words."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from model.checkpoints.checkpoint import Checkpoint

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "stars", "galaxies", "proof", "theorem", "cells", "market", "."]
HIDDEN, LAYERS, INNER = 16, 2, 32


def random_tensors(seed: int = 0, prefix: str = "") -> dict[str, np.ndarray]:
    """The tensors of a two-layer BERT under Hugging Face's names."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (32, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for i in range(LAYERS):
        at = f"encoder.layer.{i}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{at}{name}.weight": (HIDDEN, HIDDEN), f"{at}{name}.bias": (HIDDEN,)}
        shapes |= {f"{at}intermediate.dense.weight": (INNER, HIDDEN), f"{at}intermediate.dense.bias": (INNER,)}
        shapes |= {f"{at}output.dense.weight": (HIDDEN, INNER), f"{at}output.dense.bias": (HIDDEN,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}{name}.weight": (HIDDEN,), f"{at}{name}.bias": (HIDDEN,)}
    return {
        prefix + name: random.normal(float(name.endswith("LayerNorm.weight")), 0.3, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_checkpoint(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A checkpoint folder with these tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertModel"],
        "vocab_size": len(WORDS),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": INNER,
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny-bert", random_tensors())


@pytest.fixture
def tokenizer(checkpoint: Path) -> Tokenizer:
    return Checkpoint(checkpoint).tokenizer(16)


@pytest.fixture(scope="session")
def minilm() -> Path:
    """all-MiniLM-L6-v2 as `make checkpoint` fetches it; `make test` does that first."""
    return Path(__file__).parents[2] / "build" / "all-MiniLM-L6-v2"
