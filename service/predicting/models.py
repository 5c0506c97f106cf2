"""The models that answer: artifacts opened once, each behind its classifier."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.artifact import Artifact
from model.classifier import Classifier
from model.errors import ModelUnavailable, UnknownModel
from model.registry import Listing, Registry
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

    def __init__(
        self,
        registry: Registry,
        make_classifier: Callable[[Artifact], Classifier],
        is_reachable: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`is_reachable`: whether what runs the model of that name, where that is another process, has it ready."""
        self._registry = registry
        self._make_classifier = make_classifier
        self._is_reachable = is_reachable
        self._lock = threading.Lock()
        self._served: dict[str, ServedModel] = {}

    @property
    def default(self) -> str:
        """The name of the model that answers where none is named."""
        return self._registry.default

    def get(self, name: str) -> ServedModel:
        """The model, not necessarily loaded. Raises UnknownModel or ModelUnavailable."""
        served = self._served.get(name)
        return served if served is not None else self._open(name)

    def get_default(self) -> ServedModel:
        """The model that answers where none is named. Raises ModelUnavailable."""
        try:
            return self.get(self._registry.default)
        except UnknownModel as error:
            reason = "it is the default and is not installed"
            raise ModelUnavailable(self._registry.default, "not installed", reason) from error

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

    def ready(self) -> list[ServedModel]:
        """Every model that can answer."""
        return [self.get(listing.name) for listing in self._registry.list() if listing.state == "ready"]

    def listings(self) -> list[Listing]:
        """Every model known, ready or not."""
        return self._registry.list()

    def states(self) -> dict[str, str]:
        """Each model's state: its listing's, or `unreachable` where the artifact is ready and its server is not."""
        return {
            listing.name: "unreachable"
            if listing.state == "ready" and not self._is_reachable(listing.name)
            else listing.state
            for listing in self._registry.list()
        }

    def listing(self, name: str) -> Listing:
        """Raises UnknownModel."""
        return self._registry.get(name)

    def close(self) -> None:
        """Unloads every classifier."""
        with self._lock:
            served, self._served = list(self._served.values()), {}
        for model in served:
            model.classifier.close()


def _prefix(name: str, digest: str) -> Any:
    state = hashlib.sha256()
    for part in (str(KEY_SCHEMA_VERSION), name, digest, str(NORMALISER_VERSION)):
        state.update(_delimited(part))
    return state


def _delimited(part: str) -> bytes:
    """The part after its length in bytes, so that no two lists of parts run together to the same bytes."""
    data = part.encode()
    return len(data).to_bytes(8, "big") + data
