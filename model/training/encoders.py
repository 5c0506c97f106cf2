"""The encoders under a new head: a checkpoint's, or one that an artifact already has."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from model.artifact import HEAD, Artifact, Manifest, sha256_of, write_manifest
from model.checkpoints.checkpoint import Checkpoint
from model.engines.base import FeatureEngine
from model.engines.litert import LiteRTEngine
from model.errors import ArtifactError
from model.head import Head, save_head
from model.tokens import load_tokenizer
from model.training.calibrate import Calibration


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained head and what is known of it; the fields are those of the artifact's manifest."""

    head: Head
    labels: tuple[str, ...]
    activation: Literal["sigmoid", "softmax"]
    calibration: Calibration
    threshold: float
    training: Mapping[str, Any]
    scores: Mapping[str, Any]
    licence: str
    created: str


class FrozenEncoder(ABC):
    """Gives features, and knows how its heads are kept.

    digest: of what decides the features. work: the folder for what can be computed again.
    """

    digest: str
    max_tokens: int
    work: Path

    @abstractmethod
    def open(self, threads: int) -> tuple[FeatureEngine, Tokenizer]:
        """An engine, which the caller closes, and the tokenizer."""

    @abstractmethod
    def save(self, outcome: Outcome) -> None:
        """Write the head to where it was asked for."""


class ArtifactEncoder(FrozenEncoder):
    """The encoder of a built artifact; heads become artifacts that share it."""

    def __init__(self, source: Path, out: Path) -> None:
        self._artifact = Artifact.open(source)
        if self._artifact.encoder is not None:
            raise ArtifactError(f"{source} has no encoder of its own: give {self._artifact.encoder.path}")
        self._out = out
        self.digest = self._artifact.digest
        self.max_tokens = self._artifact.manifest.max_tokens
        self.work = out.parent / f".{out.name}-work"

    def open(self, threads: int) -> tuple[FeatureEngine, Tokenizer]:
        """See FrozenEncoder."""
        engine = LiteRTEngine(self._artifact.graph, len(self._artifact.manifest.labels), threads)
        return engine, load_tokenizer(self._artifact.tokenizer, self.max_tokens)

    def save(self, outcome: Outcome) -> None:
        """Write the artifact, whole or not at all, and open it where it lies."""
        out, base = self._out, self._artifact.manifest
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
            folder = Path(temporary) / out.name
            folder.mkdir()
            save_head(folder / HEAD, outcome.head.calibrated(outcome.calibration))
            fields = {f: getattr(outcome, f) for f in outcome.__dataclass_fields__ if f != "head"}
            manifest = Manifest(
                **fields | {"calibration": asdict(outcome.calibration), "licence": outcome.licence or base.licence},
                name=out.name,
                pooling=base.pooling,
                max_tokens=base.max_tokens,
                precision=base.precision,
                files={HEAD: sha256_of(folder / HEAD)},
                trained=True,
                architecture=base.architecture,
                checkpoint=base.checkpoint,
                encoder={"name": base.name, "digest": self._artifact.digest},
            )
            write_manifest(folder, manifest)
            if out.exists():
                shutil.rmtree(out)
            folder.replace(out)
        Artifact.open(out)


class CheckpointEncoder(FrozenEncoder):
    """The encoder of a checkpoint, run as int8; a head and it become a trained checkpoint."""

    def __init__(self, source: Path, out: Path, pooling: Literal["cls", "mean", "pooler"], max_tokens: int) -> None:
        self._checkpoint = Checkpoint(source)
        self._pooling = pooling
        self._out = out
        self.digest = f"{self._checkpoint.digest()} {pooling} int8"
        self.max_tokens = min(max_tokens, int(self._checkpoint.config.get("max_position_embeddings", max_tokens)))
        self.work = out / "work"

    def open(self, threads: int) -> tuple[FeatureEngine, Tokenizer]:
        """See FrozenEncoder; the graph is built once."""
        from model.training.build import convert_encoder

        graph = self.work / f"encoder-{self._checkpoint.digest()[7:23]}-{self._pooling}.tflite"
        if not graph.is_file():
            self.work.mkdir(parents=True, exist_ok=True)
            part = graph.with_suffix(".part")
            part.write_bytes(convert_encoder(self._model(2)))
            part.replace(graph)
        return LiteRTEngine(graph, 2, threads), load_tokenizer(self._checkpoint.path, self.max_tokens)

    def save(self, outcome: Outcome) -> None:
        """Write the trained checkpoint."""
        from model.checkpoints.trained import Record, save

        model = self._model(len(outcome.labels))
        model.head.kernel.assign(outcome.head.kernel)
        model.head.bias.assign(outcome.head.bias)
        fields = {f: getattr(outcome, f) for f in outcome.__dataclass_fields__ if f != "head"}
        record = Record(
            **fields, pooling=self._pooling, max_tokens=self.max_tokens, checkpoint=self._checkpoint.provenance()
        )
        tokenizer = load_tokenizer(self._checkpoint.path, self.max_tokens)
        save(model, self._checkpoint, tokenizer, record, self._out)

    def _model(self, labels: int) -> Any:
        import tensorflow as tf

        from model.checkpoints.trained import new_classifier

        return new_classifier(self._checkpoint, self._pooling, labels, tf.float32)
