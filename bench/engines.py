"""Tokens against milliseconds of every engine that is installed, on a SciBERT-shaped model, in one interleaved run.

    python -m bench.engines [--shape scibert|minilm] [--rounds N] [--threads N]

The weights are random: such a model says nothing, and never becomes an artifact that could be served; times do not
depend on weights. Stated are the medians as ratios to LiteRT int8 at the same length, its own milliseconds, and the
memory that each engine took for itself (savedmodel's without TensorFlow, which is loaded by then). torch, ONNX Runtime
and OpenVINO take part when they are installed: torch (its CPU build: the other brings an LLVM that does not go with
TensorFlow's) with transformers' BERT, the others with the export.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from bench.savedmodel import SavedModelEngine
from model.checkpoints.checkpoint import Tensors
from model.engines.base import Engine
from model.engines.head import Calibration
from model.engines.litert import LiteRTEngine
from model.training.bert import BertClassifier, BertConfig, Dense, Encoder
from model.training.build import ServingModule, convert
from model.training.export import ExportModule

LENGTHS = (32, 64, 128, 192, 256, 384, 512)
LABELS = 20
SCIBERT = BertConfig(31090, 768, 12, 12, 3072, 512, 2, 1e-12, "gelu")
SHAPES = {
    "scibert": SCIBERT,
    "minilm": replace(
        SCIBERT, vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    ),
}

Run = Callable[[Sequence[int]], Any]


class RandomTensors(Tensors):
    """Gives random values of whatever shape is asked for: enough for timing, and nothing else."""

    def __init__(self) -> None:
        super().__init__({})
        self._random = np.random.default_rng(0)

    def take(self, name: str, shape: tuple[int, ...]) -> Any:
        """Small numbers; ones for the scale of a layer norm."""
        if name.endswith("LayerNorm.weight"):
            return np.ones(shape, np.float32)
        return self._random.normal(0, 0.02, shape).astype(np.float32)


def random_model(config: BertConfig) -> BertClassifier:
    """A classifier of the shape that has learned nothing."""
    kernel = np.random.default_rng(1).normal(0, 0.02, (config.hidden_size, LABELS)).astype(np.float32)
    head = Dense(kernel, np.zeros(LABELS, np.float32), tf.float32, "head")
    return BertClassifier(Encoder(config, RandomTensors(), ""), "mean", head, None)


def main() -> None:
    """Build, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="scibert")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        runs, memory = _prepare(Path(temporary), SHAPES[options.shape], options.threads)
        times = _measure(runs, options.rounds)
    Console().print(_table(times, memory, f"{options.shape} shape, {options.threads} threads"))


def _prepare(folder: Path, config: BertConfig, threads: int) -> tuple[dict[str, Run], dict[str, float]]:
    """Each engine's run, warmed up, and the MB that it took."""
    _write(folder, config)
    makers: dict[str, Callable[[], Run]] = {
        "litert int8": lambda: _scores(LiteRTEngine(folder / "int8.tflite", LABELS, threads)),
        "litert float32": lambda: _scores(LiteRTEngine(folder / "float32.tflite", LABELS, threads)),
        "savedmodel": lambda: _scores(SavedModelEngine(folder / "saved", LABELS)),
    }
    if find_spec("torch"):
        makers["torch float32"] = lambda: _torch(config, threads)
    if find_spec("tf2onnx") and find_spec("onnxruntime"):
        makers["onnxruntime"] = lambda: _onnxruntime(folder, threads)
    if find_spec("openvino"):
        makers["openvino"] = lambda: _openvino(folder, threads)
    runs, memory = {}, {}
    for name, make in makers.items():
        before = _resident()
        runs[name] = make()
        runs[name](_ids(LENGTHS[-1]))
        memory[name] = _resident() - before
    return runs, memory


def _write(folder: Path, config: BertConfig) -> None:
    model = random_model(config)
    identity = Calibration.identity(LABELS)
    for precision in ("int8", "float32"):
        (folder / f"{precision}.tflite").write_bytes(convert(ServingModule(model, identity, "sigmoid"), precision))
    module = ExportModule(model, identity, "sigmoid", [])
    tf.saved_model.save(module, str(folder / "saved"), signatures={"serving_default": module.serve})


def _scores(engine: Engine) -> Run:
    return engine.scores


def _torch(config: BertConfig, threads: int) -> Run:
    import torch
    from transformers import BertConfig as TorchConfig
    from transformers import BertForSequenceClassification

    torch.set_num_threads(threads)
    shape = {field: getattr(config, field) for field in config.__dataclass_fields__}
    names = {number: str(number) for number in range(LABELS)}
    model: Any = BertForSequenceClassification(TorchConfig(**shape, id2label=names))
    model.eval()

    def run(ids: Sequence[int]) -> Any:
        with torch.inference_mode():
            return model(torch.tensor([list(ids)])).logits

    return run


def _onnx(folder: Path) -> Path:
    from tf2onnx import convert as to_onnx
    from tf2onnx import tf_loader

    path = folder / "model.onnx"
    graph, inputs, outputs = tf_loader.from_saved_model(str(folder / "saved"), None, None)
    handlers: dict[str, Any] = {"Erfc": (_erfc, [])}
    to_onnx.from_graph_def(
        graph, input_names=inputs, output_names=outputs, custom_op_handlers=handlers, output_path=str(path)
    )
    return path


def _erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """TensorFlow's GELU uses erfc, ONNX has only erf: 1 - erf(x)."""
    node.type = "Erf"
    negated = graph.insert_new_node_on_output("Neg", node.output[0], name=f"{name}_negated").output[0]
    one = graph.make_const(f"{name}_one", np.ones((), np.float32)).output[0]
    graph.insert_new_node_on_output("Add", negated, name=f"{name}_complement", inputs=[negated, one])


def _onnxruntime(folder: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # converting takes many times the memory of running
        path = apart.submit(_onnx, folder).result()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda ids: session.run(None, {name: np.array([ids], np.int32)})


def _openvino(folder: Path, threads: int) -> Run:
    import openvino

    model = openvino.Core().compile_model(str(folder / "saved"), "CPU", {"INFERENCE_NUM_THREADS": threads})
    return lambda ids: model([np.array([ids], np.int32)])


def _measure(runs: dict[str, Run], rounds: int) -> dict[tuple[str, int], float]:
    """Median milliseconds by engine and length; engines and lengths take turns, so that all meet the same machine."""
    times: dict[tuple[str, int], list[float]] = {(name, length): [] for length in LENGTHS for name in runs}
    for _ in range(rounds):
        for (name, length), found in times.items():
            ids = _ids(length)
            start = time.perf_counter()
            runs[name](ids)
            found.append(1000 * (time.perf_counter() - start))
    return {key: statistics.median(found) for key, found in times.items()}


def _ids(length: int) -> list[int]:
    return [101, *[2005] * (length - 2), 102]


def _resident() -> float:
    """MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _table(times: dict[tuple[str, int], float], memory: dict[str, float], title: str) -> Table:
    first = next(iter(memory))
    table = Table("engine", *(str(length) for length in LENGTHS), "MB", title=f"{title}; × {first} at the same tokens")
    table.add_row(f"{first}, ms", *(f"{times[first, length]:.1f}" for length in LENGTHS), f"{memory[first]:.0f}")
    for name, taken in memory.items():
        if name != first:
            ratios = (f"{times[name, length] / times[first, length]:.2f}" for length in LENGTHS)
            table.add_row(name, *ratios, f"{taken:.0f}")
    return table


if __name__ == "__main__":
    main()
