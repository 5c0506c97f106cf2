"""What WSGI servers and `flask --app wsgi` load. Wrong settings end the process with all faults in one message."""

from config import SettingsError
from service.app import create_app, create_cli
from service.cli import is_own_command, is_served

try:
    app = create_cli() if is_own_command() else create_app()
except SettingsError as error:
    raise SystemExit(f"Error: {error}") from error
if is_served():
    app.resume_jobs()
