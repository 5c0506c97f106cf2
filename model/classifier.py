"""normalised text -> tokens -> engine -> scores, behind a bounded queue with a deadline on waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tokenizers import Tokenizer

from model.artifact import WEIGHTS, Artifact
from model.engines.base import Engine
from model.errors import EngineError, Overloaded
from model.tokens import load_tokenizer

EngineFactory = Callable[[Artifact, int], Engine]


def litert_engine(artifact: Artifact, threads: int) -> Engine:
    """The artifact's own graph, in this process."""
    from model.engines.litert import LiteRTEngine

    return LiteRTEngine(artifact.path / WEIGHTS, len(artifact.manifest.labels), threads)


@dataclass(frozen=True, slots=True)
class Classification:
    """Scores in label order, the seconds that the text waited for the engine, and those that it then took."""

    scores: tuple[float, ...]
    queue_seconds: float
    model_seconds: float


class Classifier:
    """One model, loaded on its first text.

    Batching rows gains nothing on a CPU, so texts run one at a time, each on all `threads`.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        threads: int,
        queue_size: int,
        queue_deadline: float,
        make_engine: EngineFactory = litert_engine,
    ) -> None:
        """`queue_size`: how many texts may wait for the one that runs; `queue_deadline`: seconds that each may wait."""
        self.artifact = artifact
        self._threads = threads
        self._deadline = queue_deadline
        self._places = threading.BoundedSemaphore(queue_size + 1)
        self._engine_lock = threading.Lock()
        self._make_engine = make_engine
        self._loaded: tuple[Tokenizer, Engine] | None = None

    def classify(self, text: str) -> Classification:
        """Score a normalised text, in the artifact's label order.

        Overloaded when the queue is full or the deadline passes; EngineError when the model cannot be loaded or fails.
        """
        arrived = time.perf_counter()
        with self._turn():
            began = time.perf_counter()
            tokenizer, engine = self._loaded or self._load()
            scores = engine.scores(tokenizer.encode(text).ids)
            return Classification(scores, began - arrived, time.perf_counter() - began)

    def load(self) -> None:
        """Load the model now rather than with the first text; errors as in `classify`."""
        with self._turn():
            if self._loaded is None:
                self._load()

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._loaded is not None

    def close(self) -> None:
        """Wait for the text that runs, then free the memory; a later text loads the model anew."""
        with self._engine_lock:
            loaded, self._loaded = self._loaded, None
            if loaded is not None:
                loaded[1].close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Overloaded("too many texts wait for the model", retry_after=self._deadline)
        try:
            if not self._engine_lock.acquire(timeout=self._deadline):
                raise Overloaded(f"the model was busy for {self._deadline:g} seconds", retry_after=self._deadline)
            try:
                yield
            finally:
                self._engine_lock.release()
        finally:
            self._places.release()

    def _load(self) -> tuple[Tokenizer, Engine]:
        path, limit = self.artifact.path, self.artifact.manifest.max_tokens
        try:
            tokenizer = load_tokenizer(path, limit)
        except Exception as exc:
            raise EngineError(f"{path}: the tokenizer cannot be loaded: {exc}") from exc
        self._loaded = tokenizer, self._make_engine(self.artifact, self._threads)
        return self._loaded
