"""Which models exist: those shipped with the package, those in MODEL_DIR, and those that can be installed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.artifact import MANIFEST, SHIPPED, Artifact
from model.errors import ArtifactError, ModelUnavailable, UnknownModel

# Endpoints that exist before their model does: base checkpoint and kind of head.
INSTALLABLE: Mapping[str, tuple[str, str]] = {
    "scibert-multi": ("scibert", "multi"),
    "scibert-single": ("scibert", "single"),
    "bert-multi": ("bert", "multi"),
    "bert-single": ("bert", "single"),
}

State = Literal["ready", "not installed", "untrained", "damaged"]


@dataclass(frozen=True, slots=True)
class Listing:
    """One model by name. `reason` says why it is not ready; empty when it is."""

    name: str
    state: State
    reason: str = ""
    artifact: Artifact | None = None

    def require(self) -> Artifact:
        """The artifact of a ready model; otherwise the ModelUnavailable that says why there is none."""
        if self.state == "ready" and self.artifact is not None:
            return self.artifact
        raise ModelUnavailable(self.name, self.state, self.reason)


class Registry:
    """The models of this machine, read once. A folder in `model_dir` hides a shipped model of the same name."""

    def __init__(self, model_dir: Path | None, default: str, shipped: Path = SHIPPED) -> None:
        self.default = default
        self._listings: dict[str, Listing] = {name: _installable(name) for name in INSTALLABLE}
        for folder in (shipped, model_dir):
            if folder is not None and folder.is_dir():
                self._listings |= {p.name: _listing(p) for p in sorted(folder.iterdir()) if (p / MANIFEST).is_file()}

    def names(self) -> list[str]:
        """Names of all models, the default first."""
        return sorted(self._listings, key=lambda name: (name != self.default, name))

    def list(self) -> list[Listing]:
        """All models, the default first."""
        return [self._listings[name] for name in self.names()]

    def get(self, name: str) -> Listing:
        """The model of that name; UnknownModel names those that exist."""
        try:
            return self._listings[name]
        except KeyError:
            raise UnknownModel(f"no model {name!r}: there are {', '.join(self.names())}") from None


def _listing(path: Path) -> Listing:
    try:
        artifact = Artifact.open(path)
    except ArtifactError as exc:
        fault = str(exc).removeprefix(f"{path}: ")  # API clients read it: no business of theirs where the folder is
        return Listing(path.name, "damaged", fault)
    if artifact.name != path.name:
        return Listing(path.name, "damaged", f"its manifest names {artifact.name}, the folder is {path.name}")
    if not artifact.manifest.trained:
        return Listing(path.name, "untrained", "its head was never trained", artifact)
    return Listing(path.name, "ready", artifact=artifact)


def _installable(name: str) -> Listing:
    base, head = INSTALLABLE[name]
    return Listing(name, "not installed", f"no {base} with a {head}-label head is installed")
