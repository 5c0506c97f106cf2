"""An artifact: a folder with everything that serving a model needs, addressed by the digest of its content.

manifest.json     what it is, how it was made, how good it is, and the SHA-256 of each other file
tokenizer.json    Hugging Face tokenizers format
model.tflite      the graph, from token ids to calibrated scores

Or, for a head that shares another artifact's encoder: manifest.json, which names that artifact and its digest, and

head.npz          the head, from the encoder's features to calibrated logits
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from model.errors import ArtifactError
from model.labels import About, Groups, arxiv_about, arxiv_groups, label_faults
from model.text import NORMALISER_VERSION

FORMAT = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
WEIGHTS = "model.tflite"
HEAD = "head.npz"
SHIPPED = Path(__file__).parent / "artifacts"
_IDENTITY = frozenset({"format", "files", "labels", "activation", "pooling", "calibration", "max_tokens", "normaliser"})
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")

Activation = Literal["sigmoid", "softmax"]
Pooling = Literal["cls", "mean", "pooler"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What manifest.json says.

    labels: in the order of the scores. threshold: the operating point that a request without one gets. max_tokens:
    incl. [CLS] and [SEP]. files: SHA-256 (hex) of each file. architecture: the encoder's shape. checkpoint: what it
    was trained from. training: command, recipe, data digests. scores: measured on held-out data. encoder: `name` and
    `digest` of the artifact whose encoder and tokenizer this one shares; empty when it has its own. groups: the group
    that a label belongs to; in a head of sigmoids no label's score is above that of its group. about: `name` and `url`
    of labels and groups, which decide nothing.
    """

    name: str
    labels: tuple[str, ...]
    activation: Activation
    pooling: Pooling
    calibration: Mapping[str, Any]
    threshold: float
    max_tokens: int
    precision: Literal["int8", "float32"]
    files: Mapping[str, str]
    trained: bool
    normaliser: int = NORMALISER_VERSION
    architecture: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, str] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)
    about: About = field(default_factory=dict)
    licence: str = ""
    created: str = ""
    format: int = FORMAT

    def digest(self) -> str:
        """`sha256:` over all that decides what a text's scores are."""
        decisive = _IDENTITY | ({"encoder"} if self.encoder else set()) | ({"groups"} if self.bounds else set())
        identity = {key: value for key, value in asdict(self).items() if key in decisive}
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def bounds(self) -> bool:
        """Whether groups keep scores down."""
        return bool(self.encoder and self.groups) and self.activation == "sigmoid"

    def faults(self) -> list[str]:
        """What keeps this manifest from being used."""
        needed = {HEAD} if self.encoder else {TOKENIZER, WEIGHTS}
        checks = {
            f"format {self.format} is not {FORMAT}": self.format != FORMAT,
            f"name {self.name!r} is not like {NAME.pattern}": not NAME.fullmatch(self.name),
            "labels are not at least two different names": len(set(self.labels)) != len(self.labels)
            or len(self.labels) < 2,
            f"activation {self.activation!r} is neither sigmoid nor softmax": self.activation
            not in ("sigmoid", "softmax"),
            f"threshold {self.threshold} is not between 0 and 1": not 0 <= self.threshold <= 1,
            f"max_tokens {self.max_tokens} is not between 3 and 512": not 3 <= self.max_tokens <= 512,
            f"made for normaliser {self.normaliser}, this is {NORMALISER_VERSION}: restamp it or build it again": (
                self.normaliser != NORMALISER_VERSION
            ),
            f"files does not name {' and '.join(sorted(needed))}": not needed <= set(self.files),
            f"encoder {self.encoder!r} is not a name and a digest": bool(self.encoder)
            and (set(self.encoder) != {"name", "digest"} or not NAME.fullmatch(str(self.encoder["name"]))),
        }
        found = [fault for fault, is_so in checks.items() if is_so]
        return found + list(label_faults(self.labels, self.about, self.groups))


@dataclass(frozen=True, slots=True)
class Artifact:
    """An opened artifact: its manifest was checked, and its files are those that the manifest names.

    encoder: the artifact whose encoder it shares, opened; None when it has its own. stamps: tell a file that was
    replaced since from the one that was verified.
    """

    path: Path
    manifest: Manifest
    digest: str
    encoder: "Artifact | None" = None
    stamps: tuple[tuple[int, int, int], ...] = ()

    @property
    def name(self) -> str:
        """The model's name in URLs and cache keys."""
        return self.manifest.name

    @property
    def graph(self) -> Path:
        """The graph that reads token ids: its own or its encoder's."""
        return (self.encoder or self).path / WEIGHTS

    @property
    def tokenizer(self) -> Path:
        """The folder with the tokenizer: its own or its encoder's."""
        return (self.encoder or self).path

    @property
    def size(self) -> int:
        """Bytes of the graph."""
        return self.graph.stat().st_size

    def replaced(self) -> bool:
        """Whether a file, of the encoder's too, is not the one that was verified."""
        return _stamps(self.path, self.manifest) != self.stamps or (
            self.encoder is not None and self.encoder.replaced()
        )

    @classmethod
    def open(cls, path: Path) -> "Artifact":
        """Read and verify the folder; ArtifactError names every fault in it."""
        manifest = _read_manifest(path)
        stamps = _stamps(path, manifest)
        faults = manifest.faults() + [
            fault for name, digest in manifest.files.items() if (fault := _file_fault(path, name, digest))
        ]
        if faults:
            raise ArtifactError(f"{path}: {'; '.join(faults)}")
        encoder = _open_encoder(path, manifest) if manifest.encoder else None
        return cls(path, manifest, manifest.digest(), encoder, stamps)


def _stamps(path: Path, manifest: Manifest) -> tuple[tuple[int, int, int], ...]:
    """Inode, size and time of change of each file; zeros for one that is not there."""
    found = []
    for name in sorted(manifest.files):
        try:
            status = (path / name).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def _open_encoder(path: Path, manifest: Manifest) -> Artifact:
    """The artifact that lies beside this one, or is shipped, under the name and with the digest that it asks for."""
    name, digest = manifest.encoder["name"], manifest.encoder["digest"]
    found = []
    for folder in (path.parent / name, SHIPPED / name):
        if (folder / MANIFEST).is_file() and folder.resolve() != path.resolve():
            encoder = Artifact.open(folder)
            if encoder.digest == digest and encoder.encoder is None:
                return encoder
            found.append(encoder.digest)
    there = f"installed is {' and '.join(found)}" if found else "which is not installed"
    raise ArtifactError(f"{path}: it shares the encoder of {name} {digest}, {there}")


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write manifest.json, last of an artifact's files: a folder without one is not an artifact."""
    text = json.dumps(asdict(manifest) | {"digest": manifest.digest()}, indent=1, ensure_ascii=False)
    (path / MANIFEST).write_text(text + "\n", "utf-8")


def write_artifact(out: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Artifact:
    """Write an artifact to `out`, whole or not at all, replacing one that is there; returns it opened.

    `manifest`: the fields of Manifest except `name`, which is that of the folder, and `files`. Where it says nothing of
    labels that are arXiv's, it is told.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    arxiv = {"about": arxiv_about(manifest["labels"]), "groups": arxiv_groups(manifest["labels"])}
    checked = Manifest(**{**arxiv, **manifest, "name": out.name, "files": digests})
    if faults := checked.faults():
        raise ArtifactError(f"{out}: {'; '.join(faults)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / out.name
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        write_manifest(folder, checked)
        if out.exists():
            shutil.rmtree(out)
        folder.replace(out)
    return Artifact.open(out)


def restamp(path: Path) -> Artifact:
    """Take over an artifact that was made for another normaliser, and return it opened; its files stay as they are.

    Its digest is another one, and its scores are to be measured again. Where it shares an encoder, that one is taken
    over first. ArtifactError if anything else is wrong with it.
    """
    manifest = _read_manifest(path)
    stamped = replace(manifest, normaliser=NORMALISER_VERSION)
    if manifest.encoder:
        encoder = path.parent / manifest.encoder["name"]
        current = _read_manifest(encoder if (encoder / MANIFEST).is_file() else SHIPPED / encoder.name)
        if replace(current, normaliser=manifest.normaliser).digest() == manifest.encoder["digest"]:
            stamped = replace(stamped, encoder={"name": current.name, "digest": current.digest()})
    return _rewrite(path, manifest, stamped)


def rename(path: Path, about: About | None = None, groups: Groups | None = None) -> Artifact:
    """Write down what an artifact's labels are called and which belong together, by default as arXiv does; returns it.

    Groups of a head are in its digest, names are not. ArtifactError if they are not of its labels.
    """
    manifest = _read_manifest(path)
    labels = manifest.labels
    about, groups = (arxiv_about(labels), arxiv_groups(labels)) if about is None else (about, groups or {})
    return _rewrite(path, manifest, replace(manifest, about=about, groups=groups))


def _rewrite(path: Path, manifest: Manifest, changed: Manifest) -> Artifact:
    """The artifact with another manifest, opened; if it cannot be used so, it stays as it was."""
    write_manifest(path, changed)
    try:
        return Artifact.open(path)
    except ArtifactError:
        write_manifest(path, manifest)
        raise


def sha256_of(*paths: Path) -> str:
    """Hexadecimal SHA-256 of a file; of several, over them one after the other."""
    state = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                state.update(block)
    return state.hexdigest()


def _read_manifest(path: Path) -> Manifest:
    known = {f.name for f in fields(Manifest)}
    try:
        value = json.loads((path / MANIFEST).read_text("utf-8"))
        stated = value.pop("digest", None)
        value["labels"] = tuple(value["labels"])
        manifest = Manifest(**{key: item for key, item in value.items() if key in known})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ArtifactError(f"{path}: {MANIFEST} cannot be used: {exc}") from exc
    if stated != manifest.digest():
        raise ArtifactError(
            f"{path}: {MANIFEST} was altered: it states digest {stated}, its content has {manifest.digest()}"
        )
    return manifest


def _file_fault(path: Path, name: str, digest: str) -> str | None:
    if Path(name).name != name:
        return f"file name {name!r} leaves the folder"
    try:
        found = sha256_of(path / name)
    except OSError as exc:
        return f"{name}: {exc.strerror}"
    return None if found == digest else f"{name}: SHA-256 is {found}, the manifest says {digest}"
