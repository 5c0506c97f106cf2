"""Predictions, keys and limits over dictionaries."""

from tests.contracts.jobs import JobsContract
from tests.contracts.keys import KeysContract
from tests.contracts.predictions import PredictionsContract
from tests.contracts.ratelimit import RateLimitContract
from tests.contracts.usage import UsageContract
from tests.storage.stores import MemoryStore


class TestMemoryResults(MemoryStore, PredictionsContract):
    pass


class TestMemoryKeys(MemoryStore, KeysContract):
    pass


class TestMemoryRateLimit(MemoryStore, RateLimitContract):
    pass


class TestMemoryJobs(MemoryStore, JobsContract):
    pass


class TestMemoryUsage(MemoryStore, UsageContract):
    pass
