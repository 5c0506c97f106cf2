"""A BERT classifier in ONNX, of the operators that Hugging Face's export has and that runtimes know how to fuse."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.arrays import Array
from model.training.bert import BertConfig

OPSET: Final = 20
"""The first with Gelu."""


class _Graph:
    """Nodes and weights, as they are added; each addition gives the name of its output."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._tensors = tensors
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.weights[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weight(self, name: str, *, transposed: bool = False) -> str:
        value = self._tensors[name]
        return self.constant(name, np.ascontiguousarray(value.T) if transposed else value)

    def dense(self, value: str, name: str) -> str:
        product = self.add("MatMul", value, self.weight(f"{name}.weight", transposed=True))
        return self.add("Add", product, self.weight(f"{name}.bias"))

    def norm(self, value: str, name: str, epsilon: float) -> str:
        weights = (self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))
        return self.add("LayerNormalization", value, *weights, epsilon=epsilon)


def onnx_graph(tensors: Mapping[str, Array], config: BertConfig) -> Any:
    """ids int64 [1, length] to scores [1, labels]: mean pooling and a sigmoid. tensors: under Hugging Face's names."""
    graph = _Graph(tensors)
    value = _embedded(graph, config)
    for i in range(config.num_hidden_layers):
        value = _layer(graph, value, f"bert.encoder.layer.{i}.", config)
    pooled = graph.add("ReduceMean", value, graph.constant("tokens", np.array([1], np.int64)), keepdims=0)
    graph.nodes.append(helper.make_node("Sigmoid", [graph.dense(pooled, "classifier")], ["scores"]))
    labels = len(tensors["classifier.bias"])
    made = helper.make_graph(
        graph.nodes,
        "bert",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "length"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        list(graph.weights.values()),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _embedded(graph: _Graph, config: BertConfig) -> str:
    at = "bert.embeddings."
    numbers = {name: graph.constant(name, np.array(value, np.int64)) for name, value in (("zero", 0), ("one", 1))}
    length = graph.add("Gather", graph.add("Shape", "ids"), numbers["one"])
    places = graph.add("Range", numbers["zero"], length, numbers["one"])
    words = graph.add("Gather", graph.weight(f"{at}word_embeddings.weight"), "ids")
    positions = graph.add("Gather", graph.weight(f"{at}position_embeddings.weight"), places)
    return graph.norm(graph.add("Add", words, positions), f"{at}LayerNorm", config.layer_norm_eps)


def _layer(graph: _Graph, value: str, at: str, config: BertConfig) -> str:
    mixed = graph.dense(_attended(graph, value, at, config), f"{at}attention.output.dense")
    value = graph.norm(graph.add("Add", mixed, value), f"{at}attention.output.LayerNorm", config.layer_norm_eps)
    inner = graph.add("Gelu", graph.dense(value, f"{at}intermediate.dense"))
    fed = graph.add("Add", graph.dense(inner, f"{at}output.dense"), value)
    return graph.norm(fed, f"{at}output.LayerNorm", config.layer_norm_eps)


def _attended(graph: _Graph, value: str, at: str, config: BertConfig) -> str:
    heads, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    apart = graph.constant("apart", np.array([1, -1, heads, size], np.int64))
    parts = [graph.add("Reshape", graph.dense(value, f"{at}attention.self.{part}"), apart) for part in _PARTS]
    query, key, content = (
        graph.add("Transpose", part, perm=perm)
        for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scaled = graph.add("Div", graph.add("MatMul", query, key), graph.constant("scale", np.float32(size**0.5)))
    found = graph.add("Transpose", graph.add("MatMul", graph.add("Softmax", scaled), content), perm=[0, 2, 1, 3])
    return graph.add("Reshape", found, graph.constant("together", np.array([1, -1, config.hidden_size], np.int64)))


_PARTS: Final = ("query", "key", "value")
