"""Whether the service can write where the settings send it: asked when something is to be written, not before."""

import os
import pwd
import shlex
from pathlib import Path

from config.environment import PREFIX
from config.errors import SettingsError
from config.settings import Settings


def make_data_dir(settings: Settings) -> Path:
    """The folder DATA_DIR, made if need be. Raises SettingsError, with the remedy, if it cannot be written to."""
    return _make(settings.data_dir, f"{PREFIX}DATA_DIR={settings.data_dir}")


def make_model_dir(settings: Settings) -> Path:
    """The folder of further models, made if need be. Raises SettingsError as make_data_dir does."""
    usual = settings.data_dir / "models"
    folder = settings.model_dir or usual
    if folder == usual:
        make_data_dir(settings)
    return _make(folder, f"{PREFIX}MODEL_DIR={folder}")


def make_store_folder(settings: Settings) -> None:
    """Makes the folder of a SQLite file; nothing for other stores. Raises SettingsError as make_data_dir does."""
    scheme, _, file = settings.store_url.partition(":///")
    if scheme != "sqlite":
        return
    path = Path(file)
    in_data_dir = path.parent == settings.data_dir
    _make(path.parent, f"{PREFIX}DATA_DIR={path.parent}" if in_data_dir else f"{PREFIX}STORE_URL={settings.store_url}")
    if path.exists() and not os.access(path, os.W_OK):
        raise SettingsError([f"{PREFIX}STORE_URL={settings.store_url}: {_remedy(path, 'chown {} {}*')}"])


def _make(folder: Path, setting: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as exc:
        raise SettingsError([f"{setting}: {_remedy(folder)}"]) from exc
    except OSError as exc:
        raise SettingsError([f"{setting}: the folder cannot be made there ({exc.strerror}). Set another."]) from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError([f"{setting}: {_remedy(folder)}"])
    return folder


def _remedy(path: Path, command: str = "install -d -o {} {}") -> str:
    user = _user()
    give = command.format(user, shlex.quote(str(path)))
    return (
        f"the user {user} cannot write there. Set another place; of a container, give what is mounted there to the "
        f"user {os.geteuid()} (chown, or fsGroup in Kubernetes); or run: sudo {give}"
    )


def _user() -> str:
    """The name of the user who runs this process, or the number where it has none, as in a container."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
