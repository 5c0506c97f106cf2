"""The models that answer: artifacts opened once, each behind its classifier."""

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from model.artifact import Artifact
from model.classifier import Classifier
from model.errors import ModelError, ModelUnavailable, UnknownModel
from model.registry import Registry
from model.text import NORMALISER_VERSION

KEY_SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that can answer."""

    name: str
    digest: str
    labels: tuple[str, ...]
    threshold: float
    classifier: Classifier
    prefix: Any
    """A SHA-256 state over everything in the cache key but the text."""

    def key(self, text: str) -> str:
        """The cache key and public id of the prediction for a normalised text: 64 hex digits."""
        state = self.prefix.copy()
        state.update(_delimited(text))
        return str(state.hexdigest())


class Models:
    """Finds a ready model by name. Thread safe; classifiers are kept until close()."""

    def __init__(self, registry: Registry, make_classifier: Callable[[Artifact], Classifier]) -> None:
        self._registry = registry
        self._make_classifier = make_classifier
        self._lock = threading.Lock()
        self._served: dict[str, ServedModel] = {}

    def get(self, name: str | None = None) -> ServedModel:
        """The model of that name, by default the one that answers where none is named; not necessarily loaded.

        Raises UnknownModel or ModelUnavailable.
        """
        asked = self._registry.default if name is None else name
        served = self._served.get(asked)
        if served is not None:
            return served
        try:
            return self._open(asked)
        except UnknownModel as error:
            if name is not None:
                raise
            raise ModelUnavailable(asked, "not installed", "it is the default and is not installed") from error

    def several(self, names: Iterable[str]) -> tuple[ServedModel | ModelError, ...]:
        """The models of these names; in the place of one that cannot answer, why."""
        return tuple(map(self._one, names))

    def _one(self, name: str) -> ServedModel | ModelError:
        try:
            return self.get(name)
        except ModelError as error:
            return error

    def opened(self, name: str | None) -> ServedModel | None:
        """The model of that name, or the default one, if it has answered before."""
        return self._served.get(self._registry.default if name is None else name)

    def ready(self) -> dict[str, ServedModel]:
        """Every model that can answer, by name."""
        return {listing.name: self.get(listing.name) for listing in self._registry.list() if listing.state == "ready"}

    @property
    def waiting(self) -> int:
        """How many texts wait for a model."""
        return sum(model.classifier.waiting for model in tuple(self._served.values()))

    def close(self) -> None:
        """Unloads every classifier."""
        with self._lock:
            served, self._served = list(self._served.values()), {}
        for model in served:
            model.classifier.close()

    def _open(self, name: str) -> ServedModel:
        artifact = self._registry.get(name).require()
        with self._lock:
            if name not in self._served:
                self._served[name] = self._serve(artifact)
            return self._served[name]

    def _serve(self, artifact: Artifact) -> ServedModel:
        manifest = artifact.manifest
        return ServedModel(
            artifact.name,
            artifact.digest,
            tuple(manifest.labels),
            manifest.threshold,
            self._make_classifier(artifact),
            _prefix(artifact.name, artifact.digest),
        )


def _prefix(name: str, digest: str) -> Any:
    state = hashlib.sha256()
    for part in (str(KEY_SCHEMA_VERSION), name, digest, str(NORMALISER_VERSION)):
        state.update(_delimited(part))
    return state


def _delimited(part: str) -> bytes:
    """The part after its length in bytes, so that no two lists of parts run together to the same bytes."""
    data = part.encode()
    return len(data).to_bytes(8, "big") + data
