"""What persists: bytes in a namespaced key-value store, and the records kept in it. Knows nothing of HTTP or models."""
