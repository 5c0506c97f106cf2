"""What tests of several packages are given."""

import os
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Keeps the developer's own settings, and the file .env of this checkout, out of all tests and their processes."""
    for name in [name for name in os.environ if name.startswith("ABSTRACTS_")]:
        del os.environ[name]
    os.environ["ABSTRACTS_ENV_FILE"] = os.devnull


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Path:
    """The folder with development data and reference outputs that lies beside the checkout.

    A plain clone does not have it, and skips what needs it; in CI that is a failure.
    """
    folder = pytestconfig.rootpath.parent / "shared"
    if not folder.is_dir():
        reason = "the development data (the folder `shared` beside the checkout) are not here"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
