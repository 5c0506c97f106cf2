"""Reads the settings from the environment and .env."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from config.checks import check_together
from config.environment import FILE_SUFFIX, PREFIX, from_files, home, ours, process_variables
from config.errors import SettingsError
from config.masking import masked
from config.settings import Settings

_ALMOST_PREFIX = re.compile("ABSTRACTS?_?")

FIELDS: Mapping[str, Field[Any]] = {PREFIX + item.name.upper(): item for item in fields(Settings)}


Check = Callable[[Mapping[str, Any]], Iterable[str]]
"""Faults, one sentence each, of values by field name; what could not be read is absent."""


def load_settings(environ: Mapping[str, str] | None = None, check: Check = lambda _: ()) -> Settings:
    """The settings in `environ`; without it, those of the process over those of .env. `check` looks for further faults.

    Raises SettingsError with every fault: lines of .env that are not understood, values that cannot be read, values
    that are wrong together, and ABSTRACTS_ variables that do not exist. Links to Kubernetes' services are passed over.
    Relative paths begin at the checkout.
    """
    faults: list[str] = []
    variables = process_variables(faults) if environ is None else ours(environ, faults)
    variables = from_files(variables, (name for name, item in FIELDS.items() if item.metadata["file"]), faults)
    faults += _unknown(variables)
    values = _derived(_read(variables, faults))
    faults += [*check_together(values), *check(values)]
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def _read(variables: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """The value of each field, its default where none is given; what cannot be read is left out."""
    values = {}
    for name, item in FIELDS.items():
        given = variables.get(name, "")
        try:
            values[item.name] = item.metadata["read"](given) if given.strip() else item.default
        except ValueError as exc:
            faults.append(f"{name}={masked(given, item.metadata['secret'])!r}: {exc}")
    return values


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    """Fills in what depends on another value, and has relative paths begin at the checkout."""
    base = home()
    values["log_level"] = values["log_level"].upper()
    values |= {name: base / value for name, value in values.items() if isinstance(value, Path)}
    values["store_url"] = _absolute(values["store_url"] or f"sqlite:///{values['data_dir']}/abstracts.sqlite", base)
    values["model_dir"] = values["model_dir"] or values["data_dir"] / "models"
    return values


def _absolute(url: str, base: Path) -> str:
    scheme, separator, file = url.partition(":///")
    return f"{scheme}{separator}{base / file}" if scheme == "sqlite" and file else url


def _unknown(variables: Mapping[str, str]) -> Iterable[str]:
    files = [name + FILE_SUFFIX for name, item in FIELDS.items() if item.metadata["file"]]
    possible = [name.removeprefix(PREFIX) for name in [*FIELDS, *files]]
    for name in sorted(set(variables) - set(FIELDS)):
        nearest = difflib.get_close_matches(_ALMOST_PREFIX.sub("", name.upper()), possible, n=1)
        yield f"unknown setting {name}; " + (f"did you mean {PREFIX}{nearest[0]}?" if nearest else "remove it.")
