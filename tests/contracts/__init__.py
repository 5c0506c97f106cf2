"""Suites that every backend inherits. A test class mixes a store fixture with a contract."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.backend",
    "tests.contracts.backend_concurrency",
    "tests.contracts.backend_expiry",
    "tests.contracts.keys",
    "tests.contracts.ratelimit",
    "tests.contracts.predictions",
)
