"""BERT (Devlin et al. 2019, arXiv:1810.04805) with a classification head, as one tf.Module built from a checkpoint.

TensorFlow is imported here: serving never imports this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from model.arrays import Array
from model.artifact import Pooling
from model.checkpoints.checkpoint import BERT_SHAPE, Checkpoint, Tensors
from model.engines.head import LinearHead
from model.errors import CheckpointError

_LARGEST: Final = {
    "vocab_size": 1 << 22,
    "hidden_size": 1 << 14,
    "num_hidden_layers": 1 << 8,
    "num_attention_heads": 1 << 8,
    "intermediate_size": 1 << 16,
    "max_position_embeddings": 1 << 16,
    "type_vocab_size": 1 << 6,
}
"""Of each number in a configuration: some times what the largest BERT has."""


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The shape of an encoder, in the terms of Hugging Face's config.json."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    hidden_act: str

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> "BertConfig":
        """Read config.json or bert_config.json; CheckpointError names what is missing or not supported."""
        if config.get("model_type", "bert") != "bert":
            raise CheckpointError(f"config.json is of a {config['model_type']}, not of a BERT")
        if missing := sorted(BERT_SHAPE - config.keys()):
            raise CheckpointError(f"config.json lacks {', '.join(missing)}: is this a BERT?")
        for name, largest in _LARGEST.items():
            if type(config[name]) is not int or not 1 <= config[name] <= largest:
                raise CheckpointError(f"{name} is {config[name]!r}, not a number from 1 to {largest}")
        values = {f: config.get(f, 1e-12) for f in cls.__dataclass_fields__}
        if not isinstance(values["hidden_act"], str) or values["hidden_act"] not in _ACTIVATIONS:
            raise CheckpointError(f"hidden_act {values['hidden_act']!r} is not one of {', '.join(_ACTIVATIONS)}")
        if type(values["layer_norm_eps"]) is not float or not 0 < values["layer_norm_eps"] < 1:
            raise CheckpointError(f"layer_norm_eps is {values['layer_norm_eps']!r}, not between 0 and 1")
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise CheckpointError("only absolute position embeddings are supported")
        if values["hidden_size"] % values["num_attention_heads"]:
            raise CheckpointError("hidden_size is not a multiple of num_attention_heads")
        return cls(**values)


def _erf_gelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.gelu(x, approximate=False)


def _tanh_gelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.gelu(x, approximate=True)


_ACTIVATIONS = {"gelu": _erf_gelu, "gelu_new": _tanh_gelu, "gelu_pytorch_tanh": _tanh_gelu, "relu": tf.nn.relu}


class Dense(tf.Module):
    """A linear layer; the matrix product runs in `compute`, everything else in float32."""

    def __init__(self, kernel: Array, bias: Array, compute: tf.DType, name: str) -> None:
        super().__init__(name=name)
        self.kernel = tf.Variable(kernel, name="kernel")
        self.bias = tf.Variable(bias, name="bias")
        self.compute = compute

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """[rows, in] -> [rows, out]."""
        product = tf.matmul(tf.cast(x, self.compute), tf.cast(self.kernel, self.compute))
        return tf.cast(product, tf.float32) + self.bias


class LayerNorm(tf.Module):
    """Layer normalisation over the last axis (Ba et al. 2016, arXiv:1607.06450)."""

    def __init__(self, gamma: Array, beta: Array, eps: float, name: str) -> None:
        super().__init__(name=name)
        self.gamma = tf.Variable(gamma, name="gamma")
        self.beta = tf.Variable(beta, name="beta")
        self._eps = eps

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Same shape as `x`."""
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return centred * (tf.math.rsqrt(variance + self._eps) * self.gamma) + self.beta


class Layer(tf.Module):
    """One encoder layer: self-attention with fused query, key and value, then the feed-forward block."""

    def __init__(self, config: BertConfig, tensors: Tensors, prefix: str, compute: tf.DType) -> None:
        super().__init__(name=prefix.replace(".", "_").strip("_"))
        h, inner = config.hidden_size, config.intermediate_size
        parts = [tensors.linear(f"{prefix}attention.self.{p}", h, h) for p in ("query", "key", "value")]
        self.qkv = Dense(
            np.concatenate([k for k, _ in parts], 1), np.concatenate([b for _, b in parts]), compute, "qkv"
        )
        self.attention_out = Dense(*tensors.linear(f"{prefix}attention.output.dense", h, h), compute, "attention_out")
        self.attention_norm = _norm(config, tensors, f"{prefix}attention.output.LayerNorm")
        self.feed_in = Dense(*tensors.linear(f"{prefix}intermediate.dense", h, inner), compute, "feed_in")
        self.feed_out = Dense(*tensors.linear(f"{prefix}output.dense", inner, h), compute, "feed_out")
        self.output_norm = _norm(config, tensors, f"{prefix}output.LayerNorm")
        self._heads = config.num_attention_heads
        self._activation = _ACTIVATIONS[config.hidden_act]
        self.compute = compute

    def __call__(self, x: tf.Tensor, batch: tf.Tensor, bias: tf.Tensor | None, first_only: bool = False) -> tf.Tensor:
        """[batch * length, hidden] -> the same, or [batch, hidden] of the first position when `first_only`.

        `bias` [batch, 1, 1, length] is added to the attention scores; None when no position is padding.
        """
        context = self._attend(self.qkv(x), batch, bias, first_only)
        if first_only:
            hidden = x.shape[-1]
            x = tf.reshape(x, [batch, -1, hidden])[:, 0]
        x = self.attention_norm(x + self.attention_out(context))
        return self.output_norm(x + self.feed_out(self._activation(self.feed_in(x))))

    def _attend(self, qkv: tf.Tensor, batch: tf.Tensor, bias: tf.Tensor | None, first_only: bool) -> tf.Tensor:
        hidden = qkv.shape[-1] // 3
        depth = hidden // self._heads
        split = tf.reshape(tf.cast(qkv, self.compute), [batch, -1, 3 * self._heads, depth])
        query, key, value = tf.split(tf.transpose(split, [0, 2, 1, 3]), 3, axis=1)
        if first_only:
            query = query[:, :, :1]
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32) * depth**-0.5
        weights = tf.nn.softmax(scores if bias is None else scores + bias)
        context = tf.matmul(tf.cast(weights, self.compute), value)
        return tf.cast(tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, hidden]), tf.float32)

    def tensors(self, prefix: str) -> dict[str, Array]:
        """The layer's weights under Hugging Face's names."""
        named: dict[str, Array] = {}
        kernels, biases = np.split(self.qkv.kernel.numpy(), 3, axis=1), np.split(self.qkv.bias.numpy(), 3)
        for part, kernel, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
            named[f"{prefix}attention.self.{part}.weight"] = np.ascontiguousarray(kernel.T)
            named[f"{prefix}attention.self.{part}.bias"] = bias
        named |= _named_dense(f"{prefix}attention.output.dense", self.attention_out)
        named |= _named_norm(f"{prefix}attention.output.LayerNorm", self.attention_norm)
        named |= _named_dense(f"{prefix}intermediate.dense", self.feed_in)
        named |= _named_dense(f"{prefix}output.dense", self.feed_out)
        return named | _named_norm(f"{prefix}output.LayerNorm", self.output_norm)


def _norm(config: BertConfig, tensors: Tensors, prefix: str) -> LayerNorm:
    gamma = tensors.take(f"{prefix}.weight", (config.hidden_size,))
    beta = tensors.take(f"{prefix}.bias", (config.hidden_size,))
    return LayerNorm(gamma, beta, config.layer_norm_eps, "norm")


class Encoder(tf.Module):
    """Embeddings and the stack of layers."""

    def __init__(self, config: BertConfig, tensors: Tensors, prefix: str, compute: tf.DType = tf.float32) -> None:
        super().__init__(name="bert")
        self.config = config
        h, at = config.hidden_size, f"{prefix}embeddings."
        self.words = tf.Variable(tensors.take(f"{at}word_embeddings.weight", (config.vocab_size, h)), name="words")
        positions = tensors.take(f"{at}position_embeddings.weight", (config.max_position_embeddings, h))
        # Every token of a single text is of type 0: its row is added once, here.
        types = tensors.take(f"{at}token_type_embeddings.weight", (config.type_vocab_size, h))
        self.positions = tf.Variable(positions + types[0], name="positions")
        self.norm = _norm(config, tensors, f"{at}LayerNorm")
        self.layers = [
            Layer(config, tensors, f"{prefix}encoder.layer.{i}.", compute) for i in range(config.num_hidden_layers)
        ]

    def __call__(self, ids: tf.Tensor, mask: tf.Tensor | None = None, first_only: bool = False) -> tf.Tensor:
        """Token ids [batch, length] -> last hidden states [batch * length, hidden], or [batch, hidden] of [CLS].

        `mask` [batch, length] is 1 on tokens and 0 on padding; None promises that there is no padding.
        """
        shape = tf.shape(ids)
        batch, length = shape[0], shape[1]
        x = tf.gather(self.words, ids) + self.positions[:length]
        x = self.norm(tf.reshape(x, [-1, self.config.hidden_size]))
        bias = None if mask is None else (tf.cast(mask, tf.float32)[:, None, None, :] - 1.0) * 1e9
        for layer in self.layers[:-1]:
            x = layer(x, batch, bias)
        return self.layers[-1](x, batch, bias, first_only)

    def lowest(self, layers: int) -> list[tf.Variable]:
        """The variables of so many of the lowest layers and of the embeddings; none for 0."""
        if not layers:
            return []
        parts: list[tf.Module] = [self.norm, *self.layers[:layers]]
        return [self.words, self.positions, *(v for part in parts for v in part.trainable_variables)]


class BertClassifier(tf.Module):
    """Encoder, pooling and a linear head."""

    def __init__(self, encoder: Encoder, pooling: Pooling, head: Dense, pooler: Dense | None = None) -> None:
        super().__init__(name="classifier")
        if (pooling == "pooler") != (pooler is not None):
            raise CheckpointError("pooling through the pooler needs the checkpoint's pooler.dense, and only that does")
        self.encoder = encoder
        self.head = head
        self.pooler = pooler
        self.pooling = pooling

    def compute_in(self, dtype: tf.DType) -> None:
        """Take matrix products in `dtype` from now on; what was traced before stays as it is."""
        for part in self.submodules:
            if isinstance(part, Dense | Layer):
                part.compute = dtype

    def features(self, ids: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Token ids [batch, length] -> pooled vectors [batch, hidden]."""
        if self.pooling != "mean":
            first = self.encoder(ids, mask, first_only=True)
            return first if self.pooler is None else tf.tanh(self.pooler(first))
        hidden = tf.reshape(self.encoder(ids, mask), [tf.shape(ids)[0], -1, self.encoder.config.hidden_size])
        if mask is None:
            return tf.reduce_mean(hidden, axis=1)
        weights = tf.cast(mask, tf.float32)[:, :, None]
        return tf.reduce_sum(hidden * weights, axis=1) / tf.reduce_sum(weights, axis=1)

    def __call__(self, ids: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Token ids [batch, length] -> logits [batch, labels]."""
        return self.head(self.features(ids, mask))

    def split_head(self, outputs: Sequence[int]) -> list[LinearHead]:
        """The heads that stand side by side in this one, so many outputs each."""
        cuts = np.cumsum(outputs)[:-1]
        kernels, biases = np.split(self.head.kernel.numpy(), cuts, 1), np.split(self.head.bias.numpy(), cuts)
        return [LinearHead(*pair) for pair in zip(kernels, biases, strict=True)]

    def with_head(self, head: LinearHead) -> "BertClassifier":
        """The same encoder under another head."""
        return BertClassifier(
            self.encoder, self.pooling, Dense(head.kernel, head.bias, tf.float32, "head"), self.pooler
        )

    def tensors(self) -> dict[str, Array]:
        """All weights under Hugging Face's names, as `Tensors` reads them; token type 0 is part of the positions."""
        encoder, at = self.encoder, "bert.embeddings."
        types = np.zeros((encoder.config.type_vocab_size, encoder.config.hidden_size), np.float32)
        named = {
            f"{at}word_embeddings.weight": encoder.words.numpy(),
            f"{at}position_embeddings.weight": encoder.positions.numpy(),
            f"{at}token_type_embeddings.weight": types,
            **_named_norm(f"{at}LayerNorm", encoder.norm),
            **_named_dense("classifier", self.head),
        }
        for i, layer in enumerate(encoder.layers):
            named |= layer.tensors(f"bert.encoder.layer.{i}.")
        return named | (_named_dense("bert.pooler.dense", self.pooler) if self.pooler else {})


def new_classifier(checkpoint: Checkpoint, pooling: Pooling, labels: int, compute: tf.DType) -> BertClassifier:
    """The checkpoint's encoder under a linear head of zeros (every score 0.5), to be trained."""
    hidden = BertConfig.from_json(checkpoint.config).hidden_size
    head = Dense(np.zeros((hidden, labels), np.float32), np.zeros(labels, np.float32), tf.float32, "head")
    return _classifier(checkpoint, pooling, compute, head, labels)


def trained_classifier(checkpoint: Checkpoint, pooling: Pooling, labels: int) -> BertClassifier:
    """The checkpoint's encoder and its own `classifier` head of `labels` outputs, in float32."""
    return _classifier(checkpoint, pooling, tf.float32, None, labels)


def _classifier(
    checkpoint: Checkpoint, pooling: Pooling, compute: tf.DType, head: Dense | None, labels: int
) -> BertClassifier:
    tensors = checkpoint.tensors()
    prefix = tensors.prefix
    config = BertConfig.from_json(checkpoint.config)
    encoder = Encoder(config, tensors, prefix, compute)
    hidden = config.hidden_size
    pooler = None
    if pooling == "pooler":
        pooler = Dense(*tensors.linear(f"{prefix}pooler.dense", hidden, hidden), tf.float32, "pooler")
    unused = [] if pooler else ["pooler."]
    if head is None:
        head = Dense(*tensors.linear("classifier", hidden, labels), tf.float32, "head")
    else:
        unused.append("classifier.")
    tensors.finish(unused)
    return BertClassifier(encoder, pooling, head, pooler)


def _named_dense(prefix: str, dense: Dense) -> dict[str, Array]:
    kernel = np.ascontiguousarray(dense.kernel.numpy().T)
    return {f"{prefix}.weight": kernel, f"{prefix}.bias": dense.bias.numpy()}


def _named_norm(prefix: str, norm: LayerNorm) -> dict[str, Array]:
    return {f"{prefix}.weight": norm.gamma.numpy(), f"{prefix}.bias": norm.beta.numpy()}
