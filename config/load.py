"""Reads the settings from the environment and .env."""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values
from environs import Env, EnvValidationError, ValidationError

from config.checks import check_together
from config.errors import SettingsError
from config.settings import PREFIX, Settings, masked


class _Reader(Env):
    """environs over the mapping it is given; an empty value counts as not given."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(eager=False, prefix=PREFIX)
        self.variables = {name: value for name, value in variables.items() if value.strip()}

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self.variables.get(env_key, default)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environ`; without it, those of the process over those of .env in the working folder.

    Raises SettingsError with every fault: values that cannot be read, values that are wrong together, and
    ABSTRACTS_ variables that do not exist.
    """
    variables = _process_variables() if environ is None else environ
    reader = _Reader(variables)
    values = {item.name: _read(reader, item) for item in fields(Settings)}
    faults = list(_unknown(variables))
    try:
        reader.seal()
    except EnvValidationError as error:
        faults += _unreadable(reader.variables, cast(Mapping[str, list[str]], error.error_messages))
    values = _derived({name: value for name, value in values.items() if value is not None})
    faults += check_together(values)
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def _process_variables() -> dict[str, str]:
    from_file = {name: value for name, value in dotenv_values(Path(".env")).items() if value is not None}
    return {**from_file, **os.environ}


def _read(reader: _Reader, item: Field[Any]) -> Any:
    parse = getattr(reader, item.metadata["parser"])
    return parse(item.name.upper(), item.default, validate=_within(item.metadata["low"], item.metadata["high"]))


def _within(low: float | None, high: float | None) -> Any:
    def check(value: Any) -> None:
        number = value.total_seconds() if isinstance(value, timedelta) else value
        unit = " seconds" if isinstance(value, timedelta) else ""
        if low is not None and number < low:
            raise ValidationError(f"Give at least {low:g}{unit}.")
        if high is not None and number > high:
            raise ValidationError(f"Give at most {high:g}{unit}.")

    return check


def _derived(values: dict[str, Any]) -> dict[str, Any]:
    """Fills in the values whose default depends on another; a wrong value has left its name out."""
    values["log_level"] = str(values.get("log_level", "")).upper()
    data_dir = values.get("data_dir")
    if data_dir is not None:
        values["store_url"] = values.get("store_url") or f"sqlite:///{data_dir}/abstracts.sqlite"
        values.setdefault("model_dir", data_dir / "models")
    return values


def _unknown(variables: Mapping[str, str]) -> Iterable[str]:
    known = [PREFIX + item.name.upper() for item in fields(Settings)]
    for name in sorted(variables):
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
            yield f"{name} is no setting. Remove it, or was {nearest[0]} meant?"


def _unreadable(variables: Mapping[str, str], messages: Mapping[str, list[str]]) -> list[str]:
    secret = {PREFIX + item.name.upper() for item in fields(Settings) if item.metadata["secret"]}
    return [
        f"{name}={masked(variables[name]) if name in secret else variables[name]!r}: {' '.join(reasons)}"
        for name, reasons in messages.items()
    ]
