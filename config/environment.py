"""The variables that count: those of the process over those of .env, without what is nobody's setting."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from config.envfile import QUOTES, read_env_file

PREFIX: Final = "ABSTRACTS_"
_ALMOST: Final = "ABSTRACT"
ENV_FILE: Final = f"{PREFIX}ENV_FILE"
"""Names another file instead of .env."""
FILE_SUFFIX: Final = "_FILE"
"""NAME_FILE names a file that holds the value of NAME."""
MAX_SECRET: Final = 1 << 16

# What Kubernetes and Docker put into the environment of a pod or container for every service whose name begins with
# `abstracts`: ABSTRACTS_SERVICE_HOST, ABSTRACTS_PORT=tcp://10.0.0.1:8000, ABSTRACTS_PORT_8000_TCP_ADDR, …
_LINK: Final = re.compile(
    rf"{PREFIX}([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_LINK_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://\S+")


def home() -> Path:
    """The checkout, whatever the current folder is; where only the packages are installed, the current folder."""
    checkout = Path(__file__).parents[1]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def env_file() -> Path:
    """The file that is read beside the environment: .env, unless ABSTRACTS_ENV_FILE names another."""
    return home() / (os.environ.get(ENV_FILE) or ".env")


def process_variables(faults: list[str]) -> dict[str, str]:
    """Variables by name; what is wrong with .env is added to `faults`. Of what others have in it nothing is said."""
    file = env_file()
    from_file = read_env_file(file, faults) if file.exists() or os.environ.get(ENV_FILE) else {}
    meant = {name: value for name, value in from_file.items() if name.upper().startswith(_ALMOST)}
    return {**meant, **ours(os.environ, faults)}


def ours(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """The variables of an environment that begin with ABSTRACTS_, in any case, but for links to services.

    Adds to `faults` what shows that a value was not read as it was written: `docker --env-file` keeps quotes, blanks
    and carriage returns. An empty or blank value counts as not given.
    """
    found = {}
    for name, value in environ.items():
        if name.upper().startswith(PREFIX) and name != ENV_FILE and value.strip() and not is_link(name, value):
            found[name] = value
            faults.extend(_misread(name, value))
    return found


def is_link(name: str, value: str) -> bool:
    """Whether the variable is such as Kubernetes makes for a service."""
    return bool(_LINK.fullmatch(name) or (name.endswith("PORT") and _LINK_ADDRESS.fullmatch(value)))


def _misread(name: str, value: str) -> Iterable[str]:
    if value != value.encode(errors="replace").decode():
        yield f"{name} is not UTF-8: set it in a UTF-8 environment."
    elif value.endswith("\r"):
        yield f"{name} ends in a carriage return: save the file that sets it with Unix line ends."
    elif value != value.strip():
        yield f"{name} begins or ends with a blank: remove it."
    elif any(ord(character) < 32 for character in value):
        yield f"there is a control character in {name}: remove it."
    elif len(value) > 1 and value.startswith(QUOTES) and value[0] == value[-1]:
        yield f"{name} is in quotes, which are part of the value here (docker --env-file keeps them): remove them."


def from_files(variables: Mapping[str, str], names: Iterable[str], faults: list[str]) -> dict[str, str]:
    """The variables, and for each NAME_FILE among them, if `names` has NAME, what that file holds as NAME."""
    found = dict(variables)
    for name in names:
        file = found.pop(name + FILE_SUFFIX, None)
        if file is not None and name in found:
            faults.append(f"both {name} and {name}{FILE_SUFFIX} are set: remove one.")
        elif file is not None:
            try:
                with (home() / file).open("rb") as source:
                    found[name] = source.read(MAX_SECRET).decode().rstrip("\r\n")
            except OSError as exc:
                faults.append(f"{name}{FILE_SUFFIX}={file!r} cannot be read: {exc.strerror}.")
            except UnicodeDecodeError:
                faults.append(f"{name}{FILE_SUFFIX}={file!r} is not UTF-8.")
    return found
