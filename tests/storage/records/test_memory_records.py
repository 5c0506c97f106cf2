"""Predictions, keys and limits over dictionaries."""

from tests.contracts.jobs import JobsContract
from tests.contracts.keys import KeysContract
from tests.contracts.ratelimit import RateLimitContract
from tests.contracts.results import ResultsContract
from tests.storage.stores import MemoryStore


class TestMemoryResults(MemoryStore, ResultsContract):
    pass


class TestMemoryKeys(MemoryStore, KeysContract):
    pass


class TestMemoryRateLimit(MemoryStore, RateLimitContract):
    pass


class TestMemoryJobs(MemoryStore, JobsContract):
    pass
