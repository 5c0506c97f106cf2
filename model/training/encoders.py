"""The encoders under a new head, a checkpoint's or an artifact's, and what they say of each text, kept on disk."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from model.arrays import Floats
from model.artifact import HEAD, Artifact, Pooling, write_artifact
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.record import Record, read_record, write_record
from model.engines.base import FeatureEngine
from model.engines.head import LinearHead, load_head
from model.engines.litert import LiteRTEngine
from model.errors import ArtifactError, CheckpointError, TrainingError
from model.tokens import load_tokenizer

_FLUSH_EVERY: Final = 64  # rows


class FrozenEncoder(ABC):
    """Gives features, and knows how its heads are kept.

    digest: of what decides the features. provenance: where the weights came from. work: the folder for what can be
    computed again.
    """

    digest: str
    pooling: Pooling
    max_tokens: int
    provenance: dict[str, Any]
    work: Path

    @abstractmethod
    def open(self, threads: int) -> tuple[FeatureEngine, Tokenizer]:
        """An engine, which the caller closes, and the tokenizer."""

    @abstractmethod
    def save(self, head: LinearHead, record: Record) -> None:
        """Write the head, not calibrated yet, to where it was asked for."""


class ArtifactEncoder(FrozenEncoder):
    """The encoder of a built artifact; heads become artifacts that share it."""

    def __init__(self, source: Path, out: Path) -> None:
        self._artifact = Artifact.open(source)
        if self._artifact.encoder is not None:
            raise ArtifactError(f"{source} has no encoder of its own: give {self._artifact.encoder.path}")
        self._out = out
        manifest = self._artifact.manifest
        self.digest = self._artifact.digest
        self.pooling = manifest.pooling
        self.max_tokens = manifest.max_tokens
        self.provenance = dict(manifest.checkpoint)
        self.work = out.parent / f".{out.name}-work"

    def open(self, threads: int) -> tuple[FeatureEngine, Tokenizer]:
        """See FrozenEncoder."""
        engine = LiteRTEngine(self._artifact.graph, len(self._artifact.manifest.labels), threads)
        return engine, load_tokenizer(self._artifact.tokenizer, self.max_tokens)

    def save(self, head: LinearHead, record: Record) -> None:
        """Write the artifact, whole or not at all."""
        _write_head(self._out, self._artifact, head, record)


class CheckpointEncoder(FrozenEncoder):
    """The encoder of a checkpoint, run as int8; a head and it become a trained checkpoint."""

    def __init__(self, source: Path, out: Path, pooling: Pooling, max_tokens: int) -> None:
        self._checkpoint = Checkpoint(source)
        self._out = out
        self.digest = f"{self._checkpoint.digest()} {pooling} int8"
        self.pooling = pooling
        self.max_tokens = min(max_tokens, int(self._checkpoint.config.get("max_position_embeddings", max_tokens)))
        self.provenance = self._checkpoint.provenance()
        self.work = out / "work"

    def open(self, threads: int) -> tuple[FeatureEngine, Tokenizer]:
        """See FrozenEncoder; the graph is built once."""
        from model.training.build import convert_encoder

        graph = self.work / f"encoder-{self._checkpoint.digest()[7:23]}-{self.pooling}.tflite"
        if not graph.is_file():
            self.work.mkdir(parents=True, exist_ok=True)
            part = graph.with_suffix(".part")
            part.write_bytes(convert_encoder(self._model(2)))
            part.replace(graph)
        return LiteRTEngine(graph, 2, threads), self._checkpoint.tokenizer(self.max_tokens)

    def save(self, head: LinearHead, record: Record) -> None:
        """Write the trained checkpoint."""
        from model.training.build import save

        model = self._model(len(record.labels))
        model.head.kernel.assign(head.kernel)
        model.head.bias.assign(head.bias)
        save(model, self._checkpoint, self._checkpoint.tokenizer(self.max_tokens), record, self._out)

    def _model(self, labels: int) -> Any:
        import tensorflow as tf

        from model.training.bert import new_classifier

        return new_classifier(self._checkpoint, self.pooling, labels, tf.float32)


def save_head(head: LinearHead, record: Record, folder: Path) -> None:
    """Keep a head that was trained together with the checkpoint one folder up, for `build_head`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HEAD).write_bytes(head.to_bytes())
    write_record(record, folder)


def build_head(folder: Path, encoder: Path, out: Path) -> Artifact:
    """Build the head in `folder` on the artifact in `encoder`, which must come from the same training.

    CheckpointError or ArtifactError when it does not.
    """
    record, shared = read_record(folder), Artifact.open(encoder)
    if record.training != dict(shared.manifest.training):
        raise CheckpointError(f"{folder}: {encoder} was not trained with it")
    return _write_head(out, shared, load_head(folder / HEAD, len(record.labels)), record)


def _write_head(out: Path, shared: Artifact, head: LinearHead, record: Record) -> Artifact:
    base = shared.manifest
    manifest = asdict(record) | {
        "licence": record.licence or base.licence,
        "precision": base.precision,
        "architecture": base.architecture,
        "encoder": {"name": base.name, "digest": shared.digest},
    }
    return write_artifact(out, {HEAD: record.calibration.fold(head).to_bytes()}, manifest)


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
