"""`serve`: the production server, and how to ask it something."""

import json
import os
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
from flask.cli import ScriptInfo

from config import Settings, make_store_folder
from service.bootstrap import Services
from service.cli.common import Command, program

ABSTRACT: Final = (
    "On September 14, 2015 at 09:50:45 UTC the two detectors of the Laser Interferometer Gravitational-Wave "
    "Observatory simultaneously observed a transient gravitational-wave signal. The signal sweeps upwards in frequency "
    "from 35 to 250 Hz with a peak gravitational-wave strain of 1.0e-21. It matches the waveform predicted by general "
    "relativity for the inspiral and merger of a pair of black holes and the ringdown of the resulting single black "
    "hole."
)
"""From B. P. Abbott et al., Observation of Gravitational Waves from a Binary Black Hole Merger, 2016 (CC BY 3.0)."""

CONTAINER: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that tell a process that it runs in a container of Docker or Podman."""


@click.command(cls=Command)
@click.option("--first-key", is_flag=True, help="Create an API key if there is none, and print it.")
def serve(first_key: bool) -> None:
    """Serve the API and the web page on ABSTRACTS_HOST and ABSTRACTS_PORT, until SIGTERM or SIGINT."""
    from service.front.server import run

    app: Any = click.get_current_context().ensure_object(ScriptInfo).load_app()
    settings: Settings = app.services.settings

    def greet() -> None:
        with closing(app.services) as opened:
            make_store_folder(settings)
            if greeting := _greeting(opened, first_key):
                click.echo(greeting, err=True)

    run(settings, app.load, greet)


def _greeting(opened: Services, first_key: bool) -> str:
    """What to type, with a key that works if this is the moment to make one; empty where nobody would type it."""
    if first_key and not opened.keys.list():
        made, key = opened.keys.create("first", ("predict", "read"))
        about = f"This is your first API key ({made.id}). Keep it: only its hash is stored, and it is not shown again."
        return f"{about}\n\n  {key}\n\nAsk from another terminal:\n\n{_curl(opened.settings, key)}\n"
    if not first_key and not _is_at_a_terminal():
        return ""
    about = "Ask from another terminal, with an API key of yours or a new one (the first line makes one):"
    return f"{about}\n\nKEY=$({program()} keys create --name me)\n\n{_curl(opened.settings, '$KEY')}\n"


def _is_at_a_terminal() -> bool:
    """Whether somebody sees what is printed who could type commands here: not a service, not a container."""
    in_container = "KUBERNETES_SERVICE_HOST" in os.environ or any(path.exists() for path in CONTAINER)
    return sys.stderr.isatty() and not in_container


def _curl(settings: Settings, key: str) -> str:
    from service.front.server import base_url

    body = shlex.quote(json.dumps({"abstract": ABSTRACT}))
    return (
        f"curl {base_url(settings)}/api/predict/ \\\n"
        f'  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f"  -d {body}"
    )
