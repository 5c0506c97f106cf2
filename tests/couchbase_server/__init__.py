"""A server that speaks the Couchbase key-value protocol well enough for the official SDK, for tests only.

Written after the published documents: BinaryProtocol.md, Collections.md, sasl.md and ErrorMap.md of the
kv_engine repository, RFC 5802 (SCRAM), and the REST reference for scopes and collections.
"""
