"""What WSGI servers and `flask --app wsgi` load. Wrong settings end the process with all faults in one message."""

from config import SettingsError
from service.app import create_app

try:
    app = create_app()
except SettingsError as error:
    raise SystemExit(f"Error: {error}") from error
