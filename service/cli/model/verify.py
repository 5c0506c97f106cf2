"""`model verify`: is a model whole, and does it say what another one says?"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from model.artifact import MANIFEST, Artifact
from model.text import normalise
from service.bootstrap import Services
from service.cli.common import Command, json_option, print_json, print_table, services
from service.cli.model.scoring import score
from service.cli.model.source import FILE, FOLDER, needs_tensorflow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES: Final = (
    "We measure the mass of the top quark in proton-proton collisions at a centre-of-mass energy of 13 TeV.",
    "We prove that every finitely generated group acting freely on a tree is free, and give a bound on its rank.",
    "A neural network is trained to translate sentences; its attention weights show which words it aligns.",
    "Nous étudions la courbe de lumière d'une étoile variable à partir de données photométriques de cinq nuits.",
    "量子計算機における誤り訂正符号の閾値を数値計算により評価した。",
    "x " * 2000,
)
"""Ordinary abstracts, other languages, and one longer than any model reads."""


@click.command(cls=Command)
@click.argument("model", required=False)
@click.option(
    "--against",
    type=FOLDER,
    metavar="DIR",
    help="Another artifact of the same labels, or the trained checkpoint, which is built as float32 to compare with.",
)
@click.option("--sample", type=FILE, metavar="FILE", help="Labelled abstracts to run instead of the built-in texts.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows of FILE.")
@json_option
def verify(model: str | None, against: Path | None, sample: Path | None, limit: int | None, as_json: bool) -> None:
    """Check that MODEL is whole and gives finite scores. A name, or an artifact's folder; without, the default model.

    With --against: the largest difference of a score, and how many labels fall on the other side of the threshold.
    Against a trained checkpoint, every tensor is accounted for once more, too.
    """
    with services() as opened:
        result = examine(opened, _open(opened, model), _texts(sample, limit), against)
    if as_json:
        print_json(result)
        return
    print_table(("CHECK", "RESULT"), [("files", "as the manifest says"), ("scores", "finite"), *result.items()])


def examine(opened: Services, artifact: Artifact, texts: list[str], against: Path | None) -> dict[str, Any]:
    """What `verify` says of an artifact."""
    result: dict[str, Any] = {"model": artifact.name, "model_digest": artifact.digest, "texts": len(texts)}
    if "tensors" in artifact.manifest.architecture:
        result["tensors"] = artifact.manifest.architecture["tensors"]
    scores = score(opened, artifact, texts, artifact.name)
    if against is not None:
        with _reference(against, artifact.name) as other:
            if other.manifest.labels != artifact.manifest.labels:
                raise click.ClickException(f"{against} has other labels than {artifact.path}")
            others = score(opened, other, texts, f"{other.name} ({other.manifest.precision})")
        result |= _compare(scores, others, artifact.manifest.threshold)
    return result


def _open(opened: Services, model: str | None) -> Artifact:
    if model is not None and model not in opened.registry.names() and Path(model).is_dir():
        return Artifact.open(Path(model))
    return opened.registry.get(model or opened.registry.default).require()


@contextmanager
def _reference(folder: Path, name: str) -> Iterator[Artifact]:
    """The artifact in the folder, or the one that its trained checkpoint becomes in float32, for as long as needed."""
    if (folder / MANIFEST).is_file():
        yield Artifact.open(folder)
        return
    with needs_tensorflow():
        from model.training.build import build_artifact
    with tempfile.TemporaryDirectory() as temporary:
        yield build_artifact(folder, Path(temporary) / name, "float32")


def samples() -> list[str]:
    """The built-in texts, normalised."""
    return [normalise(text) for text in SAMPLES]


def _texts(sample: Path | None, limit: int | None) -> list[str]:
    from model.errors import DataError
    from model.training.data.rows import read_rows

    if sample is None:
        return samples()
    texts = [row.text for row in islice(read_rows(sample), limit)]
    if not texts:
        raise DataError(f"{sample}: there are no rows in it")
    return texts


def _compare(scores: "NDArray[np.float32]", others: "NDArray[np.float32]", threshold: float) -> dict[str, Any]:
    flips = ((scores >= threshold) != (others >= threshold)).sum()
    return {
        "largest_difference": float(abs(scores - others).max()),
        "label_flips": int(flips),
        "labels_compared": scores.size,
    }
