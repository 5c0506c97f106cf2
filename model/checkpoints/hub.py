"""Pulls a checkpoint from a model hub with huggingface_hub: only the files that are needed, whole and verified.

HF_ENDPOINT names another hub, and HF_TOKEN is for models that need one; both as that client reads them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model.artifact import sha256_of
from model.checkpoints.checkpoint import SOURCE
from model.errors import PullError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "scibert": ("allenai/scibert_scivocab_uncased", "24f92d32b1bfb0bcaf9ab193ff3ad01e87732fc1"),
    "bert": ("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
}
"""Repository and revision by short name."""

WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
TOKENIZERS: Final = ("tokenizer.json", "vocab.txt")
ENDPOINT: Final = "https://huggingface.co"
TIMEOUT: Final = 30.0
"""Seconds that the hub may take to begin its answer."""


def pull(repository: str, revision: str, folder: Path) -> None:
    """Fetch a checkpoint into `folder`, which appears when it is complete; source.json in it says where from.

    Shows its progress on standard error. Files that an interrupted pull left in .NAME.part are kept. PullError when the
    hub cannot be reached, has no such model, or sends something else than it says.
    """
    from huggingface_hub import HfApi

    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    part = folder.parent / f".{folder.name}.part"
    with _hub_errors(endpoint, repository, revision):
        hub = HfApi(endpoint=endpoint)
        info = hub.model_info(repository, revision=revision, files_metadata=True, timeout=TIMEOUT)
        files = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        wanted = _wanted(repository, files)
        hub.snapshot_download(
            repository, revision=info.sha, local_dir=part, allow_patterns=wanted, etag_timeout=TIMEOUT
        )
    for name in wanted:
        _verify(part / name, files[name])
    licence = str(getattr(info.card_data, "license", None) or "")
    source = {"repository": repository, "revision": info.sha, "licence": licence}
    (part / SOURCE).write_text(json.dumps(source, indent=1) + "\n", "utf-8")
    shutil.rmtree(part / ".cache")
    part.replace(folder)


@contextmanager
def _hub_errors(endpoint: str, repository: str, revision: str) -> Iterator[None]:
    from huggingface_hub import errors

    anything: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]  # also of the client beneath
    try:
        yield
    except errors.HFValidationError as exc:
        raise PullError(f"{repository!r} is not the id of a model, like allenai/scibert_scivocab_uncased") from exc
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as exc:
        raise PullError(f"{endpoint} has no {repository} at {revision}, or HF_TOKEN lacks access to it") from exc
    except errors.HfHubHTTPError as exc:
        raise PullError(f"{endpoint}: {_line(exc)}") from exc
    except (anything, errors.LocalEntryNotFoundError, OSError) as exc:
        raise PullError(f"{endpoint} cannot be reached, or no longer: {_line(exc)}", unreachable=True) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise PullError(f"{endpoint} does not answer as a model hub does: {exc!r}") from exc


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _wanted(repository: str, files: Iterable[str]) -> list[str]:
    """Configuration, one form of the tokenizer and one of the weights."""
    there = frozenset(files)
    wanted = ["config.json"]
    for forms in (TOKENIZERS, WEIGHTS):
        wanted += [name for name in forms if name in there][:1] or [forms[0]]
    if missing := [name for name in wanted if name not in there]:
        raise PullError(f"{repository} has no {' and no '.join(missing)}: not a checkpoint that can be read")
    return wanted + [name for name in ("tokenizer_config.json",) if name in there]


def _verify(path: Path, stated: "RepoSibling") -> None:
    """The hub states SHA-256 of large files and git's SHA-1 of the others; a file that is another one is removed."""
    if stated.lfs is not None:
        found, expected = sha256_of(path), stated.lfs.sha256
    else:
        data = path.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        expected = str(stated.blob_id)
    if found != expected:
        path.unlink()
        raise PullError(f"{path.name} is not what the hub says it is: its digest is {found}, not {expected}")
