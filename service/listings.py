"""What is said of a model: by the API, on the page and by the commands."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from model.labels import described
from model.registry import INSTALLABLE, Listing

_COMMAND: Final = "abstracts model"


def describe(listing: Listing, default: str) -> dict[str, Any]:
    """A listing as ModelResponse has it; what does not apply is absent."""
    description: dict[str, Any] = {"name": listing.name, "default": listing.name == default, "state": listing.state}
    if listing.state != "ready":
        description |= {"reason": listing.reason, "remedy": remedy(listing.name, listing.state)}
    if listing.artifact is not None:
        manifest = listing.artifact.manifest
        description |= {
            "digest": listing.artifact.digest,
            "labels": list(manifest.labels),
            "about": described(manifest.labels, manifest.about, manifest.groups),
            "activation": manifest.activation,
            "threshold": manifest.threshold,
            "reads": ["abstract"],
            "max_tokens": manifest.max_tokens,
            "architecture": manifest.architecture,
            "checkpoint": manifest.checkpoint,
            "scores": manifest.scores,
            "licence": manifest.licence,
            "created": manifest.created,
        }
    return description


def remedy(name: str, state: str, need: int = 0) -> str:
    """What makes the model ready that cannot answer: `state` and `need` (bytes) as in ModelUnavailable."""
    return _REMEDIES[state](name, need)


def _install(name: str, _need: int) -> str:
    if name not in INSTALLABLE:
        return "install it, or name another in ABSTRACTS_DEFAULT_MODEL"
    return f"{_COMMAND} install {name} --data FILE"


_REMEDIES: Final[Mapping[str, Callable[[str, int], str]]] = {
    "not installed": _install,
    "untrained": lambda name, _: f"train it: {_COMMAND} train --from DIR --data FILE --out {name}",
    "damaged": lambda *_: "build or install it again, in a folder of its own name",
    "replaced": lambda *_: f"have its files read again: {_COMMAND} reload",
    "too large": lambda _, need: f"set ABSTRACTS_MODEL_MEMORY_LIMIT to {-(-need >> 20)} or more",
}
