"""The contract over a real SQLite file."""

from tests.contracts.backend import BackendContract
from tests.contracts.backend_concurrency import ConcurrencyContract
from tests.contracts.backend_expiry import ExpiryContract
from tests.storage.stores import SQLiteStore


class TestSQLiteBackend(SQLiteStore, BackendContract):
    pass


class TestSQLiteExpiry(SQLiteStore, ExpiryContract):
    pass


class TestSQLiteConcurrency(SQLiteStore, ConcurrencyContract):
    pass
