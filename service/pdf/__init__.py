"""PDF -> the abstract printed in it. Knows nothing of HTTP, storage or models."""
