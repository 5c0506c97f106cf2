"""normalised text -> tokens -> engine -> scores, behind a bounded queue with a deadline on waiting."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from model.artifact import Artifact
from model.budget import MemoryBudget
from model.engines.base import Encoded, Engine
from model.errors import EngineError, ModelUnavailable, Overloaded
from model.tokens import count_tokens, load_tokenizer

if TYPE_CHECKING:
    from model.engines.head import Head

EngineFactory = Callable[[Artifact, int], Engine]

_WORKING_MEMORY = 16 << 20
"""Bytes beside the graph: tokenizer and activations."""


def litert_engine(artifact: Artifact, threads: int) -> Engine:
    """The artifact's graph, or its head on the graph that it shares, in this process."""
    from model.engines.litert import LiteRTEngine

    if artifact.encoder is None:
        return LiteRTEngine(artifact.graph, len(artifact.manifest.labels), threads)
    from model.engines.head import HeadEngine, open_head

    head = open_head(artifact)
    return HeadEngine(LiteRTEngine(artifact.graph, len(artifact.encoder.manifest.labels), threads), head)


@dataclass(frozen=True, slots=True)
class Classification:
    """Scores in label order, and what they cost.

    tokens: of the text, [CLS] and [SEP] included; tokens_read: those that the model read, at most its max_tokens.
    queue_seconds: that the text waited for the engine; model_seconds: that it then took. encoded: what the graph gave,
    for models that share it, None if it cannot be shared; graph: digest of its artifact, and its max_tokens.
    """

    scores: tuple[float, ...]
    tokens: int
    tokens_read: int
    queue_seconds: float
    model_seconds: float
    encoded: Encoded | None = None
    graph: tuple[str, int] = ("", 0)


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
        budget: MemoryBudget | None = None,
    ) -> None:
        """`queue_size`: how many texts may wait for the one that runs; `queue_deadline`: seconds that each may wait.

        `budget`: the memory that it shares with others.
        """
        self.artifact = artifact
        self._threads = threads
        self._deadline = queue_deadline
        self._places = threading.BoundedSemaphore(queue_size + 1)
        self._engine_lock = threading.Lock()
        self._waiting: deque[None] = deque()  # one for each text that waits: its length changes in one step
        self._make_engine = make_engine
        self._budget = budget or MemoryBudget(0)
        self._loaded: tuple[Tokenizer, Engine] | None = None
        self._graph = ((artifact.encoder or artifact).digest, artifact.manifest.max_tokens)
        self._head: Head | None = None

    def classify(self, text: str) -> Classification:
        """Score a normalised text, in the artifact's label order.

        Overloaded when the queue is full or the deadline passes; EngineError when the model cannot be loaded or fails;
        ModelUnavailable when it is too large, or its files were replaced since they were verified.
        """
        arrived = time.perf_counter()
        with self._turn():
            began = time.perf_counter()
            tokenizer, engine = self._loaded or self._load()
            encoding = tokenizer.encode(text)
            scores, encoded = engine.run(encoding.ids)
            self._budget.touch(self)
            ended = time.perf_counter()
        tokens, tokens_read = count_tokens(encoding), len(encoding.ids)
        return Classification(scores, tokens, tokens_read, began - arrived, ended - began, encoded, self._graph)

    def derive(self, other: Classification) -> Classification | None:
        """Its classification of a text that another model has classified; None if they do not share a graph.

        Nothing is run, so nothing waits. ModelUnavailable and ArtifactError as the head cannot be read.
        """
        if other.encoded is None or other.graph != self._graph:
            return None
        scores = self._own_head().scores(other.encoded) if self.artifact.encoder else other.encoded.scores
        return replace(other, scores=scores, queue_seconds=0.0, model_seconds=0.0)

    @property
    def waiting(self) -> int:
        """How many texts wait for the one that runs."""
        return len(self._waiting)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._loaded is not None

    def close(self) -> None:
        """Wait for the text that runs, then free the memory; a later text loads the model again."""
        self.unload(timeout=-1)
        self._budget.forget(self)

    def unload(self, timeout: float) -> bool:
        """The same, for the budget: False when the text that runs takes longer than `timeout` seconds; -1: no limit."""
        acquired = self._engine_lock.acquire(timeout=timeout) if timeout else self._engine_lock.acquire(blocking=False)
        if not acquired:
            return False
        try:
            loaded, self._loaded = self._loaded, None
            if loaded is not None:
                loaded[1].close()
        finally:
            self._engine_lock.release()
        return True

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Overloaded("too many texts wait for the model", retry_after=self._deadline)
        try:
            self._waiting.append(None)
            try:
                acquired = self._engine_lock.acquire(timeout=self._deadline)
            finally:
                self._waiting.pop()
            if not acquired:
                raise Overloaded(f"the model was busy for {self._deadline:g} seconds", retry_after=self._deadline)
            try:
                yield
            finally:
                self._engine_lock.release()
        finally:
            self._places.release()

    def _own_head(self) -> "Head":
        """The head by itself, without the graph that it shares; some hundred KB, which are kept."""
        if self._head is None:
            from model.engines.head import open_head

            head = open_head(self.artifact)
            self._refuse_replaced()
            self._head = head
        return self._head

    def _load(self) -> tuple[Tokenizer, Engine]:
        artifact = self.artifact
        self._refuse_replaced()
        need = 2 * artifact.size + _WORKING_MEMORY  # the graph as it is mapped, and as XNNPACK packs it
        self._budget.admit(self, artifact.name, need, self._deadline)
        try:
            tokenizer = self._tokenizer()
            self._loaded = tokenizer, self._engine()
        except BaseException:
            self._budget.forget(self)
            raise
        return self._loaded

    def _engine(self) -> Engine:
        """The engine over the files that were verified: they may have been replaced while it read them."""
        engine = self._make_engine(self.artifact, self._threads)
        try:
            self._refuse_replaced()
        except ModelUnavailable:
            engine.close()
            raise
        return engine

    def _refuse_replaced(self) -> None:
        if self.artifact.replaced():
            raise ModelUnavailable(self.artifact.name, "replaced", "its files have been replaced since they were read")

    def _tokenizer(self) -> Tokenizer:
        path = self.artifact.tokenizer
        try:
            return load_tokenizer(path, self.artifact.manifest.max_tokens)
        except Exception as exc:
            raise EngineError(f"{path}: the tokenizer cannot be loaded: {exc}") from exc
