"""Settings: one frozen object read from the environment and .env."""

from config.errors import SettingsError
from config.load import load_settings
from config.settings import PREFIX, Settings

__all__ = ["PREFIX", "Settings", "SettingsError", "load_settings"]
