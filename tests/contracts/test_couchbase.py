"""The contract of a backend over Couchbase: two nodes of the tests' server, or the cluster of COUCHBASE_TEST_URL."""

from tests.contracts.backend import BackendContract
from tests.contracts.backend_concurrency import ConcurrencyContract
from tests.contracts.backend_expiry import ExpiryContract
from tests.contracts.couchbase_store import CouchbaseStore


class TestCouchbaseBackend(CouchbaseStore, BackendContract):
    pass


class TestCouchbaseExpiry(CouchbaseStore, ExpiryContract):
    pass


class TestCouchbaseConcurrency(CouchbaseStore, ConcurrencyContract):
    pass
