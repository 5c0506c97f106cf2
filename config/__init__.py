"""Settings: one frozen object read from the environment and .env."""

from config.envfile import set_in_env_file
from config.environment import PREFIX, env_file
from config.errors import SettingsError
from config.folders import make_data_dir, make_model_dir, make_store_folder
from config.load import load_settings
from config.settings import Settings

__all__ = [
    "PREFIX",
    "Settings",
    "SettingsError",
    "env_file",
    "load_settings",
    "make_data_dir",
    "make_model_dir",
    "make_store_folder",
    "set_in_env_file",
]
