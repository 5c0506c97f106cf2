"""`model pull` and `model import`: how a checkpoint gets in."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from config import make_data_dir
from model.artifact import Activation
from model.checkpoints.hub import KNOWN, TOKENIZERS, WEIGHTS
from model.checkpoints.hub import pull as fetch
from model.errors import PullError
from service.bootstrap import Services
from service.cli.common import Command, progress_bar, services
from service.cli.model.source import FILE, FOLDER, checkpoints, needs_tensorflow

if TYPE_CHECKING:
    from model.training.adopt import Checked

NEEDED: Final = (
    "config.json",
    "bert_config.json",
    "tokenizer_config.json",
    "source.json",
    "classifier.json",
    *TOKENIZERS,
    *WEIGHTS,
)
TENSORFLOW: Final = ("*.ckpt.index", "*.ckpt.data-*", "*.ckpt-*.index", "*.ckpt-*.data-*")


@click.command(cls=Command)
@click.argument("name")
@click.option("--revision", metavar="REV", help="Commit, tag or branch; without, the pinned or the latest commit.")
@click.option("--from", "source", type=FOLDER, metavar="DIR", help="Take the files from here: no hub is asked.")
def pull(name: str, revision: str | None, source: Path | None) -> None:
    """Get a checkpoint from the model hub: scibert, bert, or any id such as google-bert/bert-large-uncased.

    Only what is needed is fetched; files that an interrupted pull has left are kept. Every tensor is accounted for.
    """
    with services() as opened:
        _report(*get(opened, name, revision, source))


def get(opened: Services, name: str, revision: str | None, source: Path | None) -> tuple[Path, "Checked"]:
    """The folder of the checkpoint, from the hub or from `source`, and what its check found."""
    with needs_tensorflow():
        from model.training.adopt import check
    repository, pinned = KNOWN.get(name, (name, "main"))
    target = _free(opened, name.rpartition("/")[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    if source is not None:
        _copy(source, target)
    else:
        _fetch(repository, revision or pinned, target)
    return target, _checked(check, target)


@click.command("import", cls=Command)
@click.argument("folder", type=FOLDER)
@click.option("--name", required=True, metavar="NAME", help="What the checkpoint is called from now on.")
@click.option("--head", type=FILE, metavar="FILE.keras", help="A Keras model file whose dense layer becomes the head.")
@click.option("--labels", metavar="A,B,…", help="Names of its outputs; without, those of config.json's id2label.")
@click.option("--activation", type=click.Choice(["sigmoid", "softmax"]), help="Where config.json does not say.")
def import_checkpoint(
    folder: Path, name: str, head: Path | None, labels: str | None, activation: Activation | None
) -> None:
    """Take in a checkpoint from a folder: safetensors, pytorch_model.bin or a TensorFlow checkpoint.

    One that was fine-tuned (BertForSequenceClassification) keeps its head, and can be built at once.
    """
    with needs_tensorflow():
        from model.checkpoints.record import RECORD
        from model.training.adopt import adopt_head, adopt_keras_head, check
    with services() as opened:
        target = _free(opened, name)
        _copy(folder, target)
        checked = _checked(check, target)
        try:
            if head is not None:
                with_head = target.parent / f".{name}.head"
                adopt_keras_head(target, head, labels.split(",") if labels else _own_labels(target), with_head)
                shutil.rmtree(target)
                with_head.replace(target)
            elif checked.labels and not (target / RECORD).is_file():
                adopt_head(target, activation)
        except Exception:
            shutil.rmtree(target)
            raise
        _report(target, checked)


def _fetch(repository: str, revision: str, target: Path) -> None:
    try:
        fetch(repository, revision, target)
    except PullError as exc:
        if not exc.unreachable:
            raise
        raise click.ClickException(
            f"{exc}. The same command goes on with the files that are there. Or fetch them on another machine "
            f"(config.json, {' or '.join(TOKENIZERS)}, {' or '.join(WEIGHTS)}) and hand over their folder: --from DIR"
        ) from exc


def _free(opened: Services, name: str) -> Path:
    """Where a new checkpoint of that name goes. SettingsError if nothing can be written there."""
    make_data_dir(opened.settings)
    target = checkpoints(opened) / name
    if target.exists():
        raise click.ClickException(f"{target} is there already. Remove it first: abstracts model remove {target.name}")
    return target


def _copy(source: Path, target: Path) -> None:
    """The files that are needed of a local folder; the target appears when it is complete."""
    names = [name for name in NEEDED if (source / name).is_file()]
    files = [source / name for name in names] + [path for pattern in TENSORFLOW for path in source.glob(pattern)]
    if not files:
        raise click.ClickException(f"{source} has none of the files of a checkpoint: {', '.join(NEEDED)}")
    part = target.parent / f".{target.name}.copy"
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    with progress_bar() as bar:
        task = bar.add_task("copying", total=sum(file.stat().st_size for file in files))
        for file in files:
            shutil.copyfile(file, part / file.name)
            bar.advance(task, file.stat().st_size)
    part.replace(target)


def _checked(check: "Callable[[Path], Checked]", target: Path) -> "Checked":
    """What the check found; a checkpoint that fails it does not stay."""
    try:
        return check(target)
    except Exception:
        shutil.rmtree(target)
        raise


def _own_labels(folder: Path) -> Sequence[str]:
    from model.checkpoints.checkpoint import Checkpoint
    from model.training.adopt import labels_of

    return labels_of(Checkpoint(folder).config)


def _report(target: Path, checked: "Checked") -> None:
    name = target.name
    click.echo(f"{name}: {checked.tensors} tensors, each accounted for; {checked.digest}; in {target}", err=True)
    train = f"abstracts model train --frozen --from {name} --data FILE --out DIR"
    build = f"abstracts model build {name} --name NAME"
    click.echo(f"Next: {build if (target / 'classifier.json').is_file() else train}", err=True)
