"""The records over Couchbase: predictions, API keys and limits."""

from tests.contracts.couchbase_store import CouchbaseStore
from tests.contracts.jobs import JobsContract
from tests.contracts.keys import KeysContract
from tests.contracts.predictions import PredictionsContract
from tests.contracts.ratelimit import RateLimitContract
from tests.contracts.usage import UsageContract


class TestCouchbaseResults(CouchbaseStore, PredictionsContract):
    pass


class TestCouchbaseKeys(CouchbaseStore, KeysContract):
    pass


class TestCouchbaseRateLimit(CouchbaseStore, RateLimitContract):
    pass


class TestCouchbaseJobs(CouchbaseStore, JobsContract):
    pass


class TestCouchbaseUsage(CouchbaseStore, UsageContract):
    pass
