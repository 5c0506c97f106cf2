"""Pulls a checkpoint from a model hub (Hugging Face's HTTP API), only the files that are needed, whole and verified.

The hub's own client does not resume a file, so these few requests are made here. HF_ENDPOINT names another hub, and
HF_TOKEN is for models that need one; both as in that client.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from model.checkpoints.checkpoint import SOURCE
from model.errors import PullError

KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "scibert": ("allenai/scibert_scivocab_uncased", "24f92d32b1bfb0bcaf9ab193ff3ad01e87732fc1"),
    "bert": ("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
}
"""Repository and revision by short name."""

WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
TOKENIZERS: Final = ("tokenizer.json", "vocab.txt")
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
TIMEOUT: Final = 30.0
BLOCK: Final = 1 << 18
MAX_JSON: Final = 8 << 20

_HINTS: Final = {
    401: "no such model, or HF_TOKEN lacks access to it",
    403: "HF_TOKEN lacks access to it",
    404: "no such model or revision",
}

Progress = Callable[[str, int, int], None]
"""Hears (file, bytes there, bytes in all)."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a revision; `sha256` of large files, `blob` (git's SHA-1) of the others."""

    name: str
    size: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit of a repository."""

    repository: str
    commit: str
    licence: str
    files: tuple[RemoteFile, ...]


def pull(repository: str, revision: str, folder: Path, on_progress: Progress) -> Revision:
    """Fetch a checkpoint into `folder`, which appears when it is complete; source.json in it says where from.

    What an interrupted pull left in .NAME.part is gone on with. PullError when the hub cannot be reached, has no such
    model, or sends something else than it says.
    """
    found = describe(repository, revision)
    part = folder.parent / f".{folder.name}.part"
    part.mkdir(parents=True, exist_ok=True)
    for file in found.files:
        _fetch(found, file, part / file.name, on_progress)
    source = {"repository": found.repository, "revision": found.commit, "licence": found.licence}
    (part / SOURCE).write_text(json.dumps(source, indent=1) + "\n", "utf-8")
    if folder.exists():
        raise PullError(f"{folder} is there already: flask --app wsgi model remove {folder.name}")
    part.replace(folder)
    return found


def describe(repository: str, revision: str) -> Revision:
    """What the hub has of a revision that is needed: configuration, one form of the tokenizer and of the weights."""
    if not REPOSITORY.fullmatch(repository):
        raise PullError(f"{repository!r} is not the id of a model, like allenai/scibert_scivocab_uncased")
    address = f"{_endpoint()}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
    try:
        with _open(address, {}) as answer:
            info = json.loads(answer.read(MAX_JSON))
        files = {item["rfilename"]: item for item in info["siblings"]}
        commit = str(info["sha"])
        licence = str((info.get("cardData") or {}).get("license") or "")
        wanted = tuple(_remote(files[name]) for name in _wanted(repository, files))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise PullError(f"{_endpoint()} does not answer as a model hub does: {exc!r}") from exc
    return Revision(repository, commit, licence, wanted)


def _wanted(repository: str, files: Mapping[str, Any]) -> list[str]:
    wanted = ["config.json"]
    for forms in (TOKENIZERS, WEIGHTS):
        wanted += [name for name in forms if name in files][:1] or [forms[0]]
    missing = [name for name in wanted if name not in files]
    if missing:
        raise PullError(f"{repository} has no {' and no '.join(missing)}: not a checkpoint that can be read")
    return wanted + [name for name in ("tokenizer_config.json",) if name in files]


def _remote(item: Mapping[str, Any]) -> RemoteFile:
    large = item.get("lfs") or {}
    size = int(large.get("size") or item.get("size") or 0)
    return RemoteFile(str(item["rfilename"]), size, str(large.get("sha256", "")), str(item.get("blobId", "")))


def _fetch(revision: Revision, file: RemoteFile, path: Path, on_progress: Progress) -> None:
    """The file at `path`, gone on with where it stopped; one that is wrong is removed."""
    there = path.stat().st_size if path.is_file() else 0
    if not file.size or there != file.size:
        headers = {"Range": f"bytes={there}-"} if 0 < there < file.size else {}
        address = f"{_endpoint()}/{revision.repository}/resolve/{revision.commit}/{quote(file.name)}"
        with _open(address, headers) as answer, path.open("ab" if answer.status == 206 else "wb") as out:
            _copy(answer, out, file, on_progress)
    if fault := _fault(file, path):
        path.unlink()
        raise PullError(f"{file.name} is not what the hub says it is ({fault}): pull again")


def _copy(answer: Any, out: IO[bytes], file: RemoteFile, on_progress: Progress) -> None:
    try:
        while block := answer.read(BLOCK):
            out.write(block)
            on_progress(file.name, out.tell(), file.size)
            if file.size and out.tell() > file.size:
                return
    except (OSError, HTTPException) as exc:
        raise PullError(f"{file.name}: interrupted: {exc}; the same command goes on from there") from exc
    if file.size and out.tell() < file.size:
        raise PullError(f"{file.name}: interrupted at {out.tell()} of {file.size} bytes; the same command goes on")


def _fault(file: RemoteFile, path: Path) -> str:
    size = path.stat().st_size
    if file.size and size != file.size:
        return f"{size} bytes, not {file.size}"
    with path.open("rb") as data:
        if file.sha256:
            found = hashlib.file_digest(data, "sha256").hexdigest()
            return "" if found == file.sha256 else f"SHA-256 {found}, not {file.sha256}"
        if len(file.blob) == 40:
            found = hashlib.sha1(b"blob %d\0" % size + data.read(), usedforsecurity=False).hexdigest()
            return "" if found == file.blob else f"blob {found}, not {file.blob}"
    return ""


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


class _Redirects(HTTPRedirectHandler):
    """Follows to the storage that large files lie in, which must not be shown the token."""

    def redirect_request(self, req: Request, *args: Any, **kwargs: Any) -> Request | None:
        new = super().redirect_request(req, *args, **kwargs)
        if new is not None and urlsplit(new.full_url).netloc != urlsplit(req.full_url).netloc:
            new.remove_header("Authorization")
        return new


def _open(address: str, headers: Mapping[str, str]) -> Any:
    """The answer, which the caller closes; PullError with a remedy otherwise."""
    if urlsplit(address).scheme not in ("http", "https"):
        raise PullError(f"HF_ENDPOINT={_endpoint()} is not an http:// or https:// address")
    request = Request(address, headers=dict(headers) | {"User-Agent": "abstracts"})  # noqa: S310 (checked above)
    if token := os.environ.get("HF_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        return build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except HTTPError as exc:
        with exc:
            raise PullError(f"{address}: {_HINTS.get(exc.code, f'status {exc.code} {exc.reason}')}") from exc
    except (URLError, HTTPException, OSError) as exc:
        reason = getattr(exc, "reason", exc)
        raise PullError(
            f"{_endpoint()} cannot be reached ({reason}). Fetch the model's files on another machine (config.json, "
            f"{' or '.join(TOKENIZERS)}, {' or '.join(WEIGHTS)}) and hand over their folder: --from DIR"
        ) from exc
