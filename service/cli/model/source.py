"""What the commands of `model` take: folders, files, checkpoints and models by name, and TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from flask.cli import ScriptInfo

from service.bootstrap import Services

FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT: Final = click.Path(file_okay=False, path_type=Path)
EXTRA: Final = ("tensorflow", "keras", "safetensors", "transformers")
INSTALL: Final = ".venv/bin/pip install --require-hashes -r requirements/train.txt"


@contextmanager
def needs_tensorflow() -> Iterator[None]:
    """Says how to install the `train` extra where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        yield
    except ImportError as exc:
        if (exc.name or "").partition(".")[0] not in EXTRA:
            raise
        raise click.ClickException(f"this needs {exc.name}, which serving does not: {INSTALL}") from exc


def checkpoints(opened: Services) -> Path:
    """The folder with a folder for each checkpoint pulled or imported."""
    return opened.settings.data_dir / "checkpoints"


def model_dir(opened: Services) -> Path:
    """The folder with a folder for each model installed here."""
    return opened.settings.model_dir or opened.settings.data_dir / "models"


class Source(click.ParamType[Path]):
    """A folder as it is; else the folder of the checkpoint, or of the model, of that name."""

    name = "source"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The folder; a usage error when there is none."""
        if isinstance(value, Path) or Path(value).is_dir():
            return Path(value)
        if ctx is None or Path(value).name != value:
            self.fail(f"there is no folder {value}", param, ctx)
        app: Any = ctx.ensure_object(ScriptInfo).load_app()
        for parent in (checkpoints(app.services), model_dir(app.services)):
            if (parent / value).is_dir():
                return Path(parent / value)
        return self._shipped(app.services, value, param, ctx)

    def _shipped(self, opened: Services, value: str, param: click.Parameter | None, ctx: click.Context) -> Path:
        if value in opened.registry.names() and (artifact := opened.registry.get(value).artifact) is not None:
            return artifact.path
        raise click.BadParameter(
            f"{value} is neither a folder nor a checkpoint or model that is installed. "
            f"Get one: abstracts model pull {value}",
            ctx,
            param,
        )
