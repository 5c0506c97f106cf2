"""Predictions, keys and limits over a SQLite file."""

from tests.contracts.jobs import JobsContract
from tests.contracts.keys import KeysContract
from tests.contracts.predictions import PredictionsContract
from tests.contracts.ratelimit import RateLimitContract
from tests.contracts.usage import UsageContract
from tests.storage.stores import SQLiteStore


class TestSQLiteResults(SQLiteStore, PredictionsContract):
    pass


class TestSQLiteKeys(SQLiteStore, KeysContract):
    pass


class TestSQLiteRateLimit(SQLiteStore, RateLimitContract):
    pass


class TestSQLiteJobs(SQLiteStore, JobsContract):
    pass


class TestSQLiteUsage(SQLiteStore, UsageContract):
    pass
