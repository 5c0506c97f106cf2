"""Tokens against milliseconds of every engine that is installed, on a SciBERT-shaped model, in one interleaved run.

    python -m bench.engines [--shape scibert|minilm] [--rounds N] [--threads N]

The weights are random: such a model says nothing, and never becomes an artifact that could be served; times do not
depend on weights. Stated are the processor's features that decide which engine is ahead, the medians as ratios to
LiteRT int8 at the same length, its own milliseconds, and the memory that each engine took for itself (savedmodel's
without TensorFlow, which is loaded by then). torch, ONNX Runtime and OpenVINO take part when they are installed: torch
(its CPU build: the other brings an LLVM that does not go with TensorFlow's) with transformers' BERT, the others with a
graph of the operators that its export has. They weigh hundreds of MB, so no extra of this project brings them.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
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

FEATURES = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
LENGTHS = (32, 64, 128, 192, 256, 384, 512)
LABELS = 20
TOLERANCE = 0.02
"""Of a score; OpenVINO computes in bfloat16 where that is fast."""
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
        _compare(runs)
        times = _measure(runs, options.rounds)
    console = Console()
    console.print(_processor(), highlight=False)
    console.print(_table(times, memory, f"{options.shape} shape, {options.threads} threads"))


def _prepare(folder: Path, config: BertConfig, threads: int) -> tuple[dict[str, Run], dict[str, float]]:
    """Each engine's run, warmed up, and the MB that it took."""
    _write(folder, config)
    makers: dict[str, Callable[[], Run]] = {
        "litert int8": lambda: _scores(LiteRTEngine(folder / "int8.tflite", LABELS, threads)),
        "litert float32": lambda: _scores(LiteRTEngine(folder / "float32.tflite", LABELS, threads)),
        "savedmodel": lambda: _scores(SavedModelEngine(folder / "saved", LABELS)),
    }
    others: dict[str, tuple[Sequence[str], Callable[[], Run]]] = {
        "torch float32": (["torch"], lambda: _torch(config, threads)),
        "onnxruntime float32": (["onnx", "onnxruntime"], lambda: _onnxruntime(folder / "model.onnx", threads)),
        "onnxruntime int8": (["onnx", "onnxruntime"], lambda: _onnxruntime_int8(folder, threads)),
        "openvino": (["onnx", "openvino"], lambda: _openvino(str(folder / "model.onnx"), threads)),
        "openvino int8": (["onnx", "openvino", "nncf"], lambda: _openvino_int8(folder, threads)),
    }
    for name, (needed, make) in others.items():
        missing = [package for package in needed if not find_spec(package)]
        if missing:
            print(f"{name} takes no part: pip install {' '.join(missing)}")
        else:
            makers[name] = make
    runs, memory = {}, {}
    for name, make in makers.items():
        before = _resident()
        runs[name] = make()
        runs[name](_ids(LENGTHS[-1]))
        memory[name] = _resident() - before
    return runs, memory


def _compare(runs: dict[str, Run]) -> None:
    """The same model is timed everywhere, but for torch, which has weights of its own."""
    expected = np.asarray(runs["litert float32"](_ids(LENGTHS[2]))).ravel()
    for name in ("savedmodel", "onnxruntime float32", "openvino"):
        if name in runs and np.abs(np.asarray(runs[name](_ids(LENGTHS[2]))).ravel() - expected).max() > TOLERANCE:
            raise SystemExit(f"{name} does not compute what LiteRT does")


def _write(folder: Path, config: BertConfig) -> None:
    model = random_model(config)
    identity = Calibration.identity(LABELS)
    for precision in ("int8", "float32"):
        (folder / f"{precision}.tflite").write_bytes(convert(ServingModule(model, identity, "sigmoid"), precision))
    module = ExportModule(model, identity, "sigmoid", [])
    tf.saved_model.save(module, str(folder / "saved"), signatures={"serving_default": module.serve})
    if find_spec("onnx"):
        from bench.onnx_graph import onnx_graph

        (folder / "model.onnx").write_bytes(onnx_graph(model.tensors(), config).SerializeToString())


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


def _onnxruntime(path: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda ids: session.run(None, {"ids": np.array([ids], np.int64)})[0]


def _onnxruntime_int8(folder: Path, threads: int) -> Run:
    """Weights in 8 bits, activations on the fly, as LiteRT has them."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / "int8.onnx"
    quantize_dynamic(str(folder / "model.onnx"), str(path), weight_type=QuantType.QInt8, per_channel=True)
    return _onnxruntime(path, threads)


def _openvino(model: Any, threads: int) -> Run:
    """In the precision that OpenVINO chooses for the processor: bfloat16 where that is fast."""
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads})
    return lambda ids: compiled([np.array([ids], np.int64)])[0]


def _openvino_int8(folder: Path, threads: int) -> Run:
    """Weights and activations in 8 bits, with scales fitted to a few texts (NNCF)."""
    import nncf
    import openvino

    random = np.random.default_rng(2)
    texts = [random.integers(1000, 30000, (1, int(length))) for length in random.integers(32, 256, 32)]
    model = openvino.Core().read_model(str(folder / "model.onnx"))
    quantised = nncf.quantize(model, nncf.Dataset(texts), model_type=nncf.ModelType.TRANSFORMER, subset_size=32)
    return _openvino(quantised, threads)


def _measure(runs: dict[str, Run], rounds: int) -> dict[tuple[str, int], float]:
    """Median milliseconds by engine and length; engines and lengths take turns, so that all meet the same machine."""
    times: dict[tuple[str, int], list[float]] = {(name, length): [] for length in LENGTHS for name in runs}
    for name, length in times:
        runs[name](_ids(length))  # some prepare for a length when they first meet it
    for _ in range(rounds):
        for (name, length), found in times.items():
            ids = _ids(length)
            start = time.perf_counter()
            runs[name](ids)
            found.append(1000 * (time.perf_counter() - start))
    return {key: statistics.median(found) for key, found in times.items()}


def _ids(length: int) -> list[int]:
    return [101, *[2005] * (length - 2), 102]


def _processor() -> str:
    """Its name, and those of the features that engines use which it has."""
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in lines}
    has = [name for name in FEATURES if name in facts.get("flags", "").split()]
    return (
        f"{facts.get('model name', 'a processor without a name')}: {' '.join(has) or 'none of its features is known'}"
    )


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
