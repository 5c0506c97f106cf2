"""Examples of what is sent and answered, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

ABSTRACT: Final = (
    "We measure the mass of the top quark in proton collisions at a centre-of-mass energy of 13 TeV, in events with "
    "one lepton and at least four jets."
)
PREDICTION: Final[Mapping[str, Any]] = {
    "id": "3f" * 32,
    "model": "arxiv-mini",
    "model_digest": "sha256:" + "9b" * 32,
    "labels": ["hep-ex", "hep-ph"],
    "predictions": [[0.981, 0.312]],
    "categories": [{"label": "hep-ex", "score": 0.981}],
    "cached": False,
}
JOB: Final[Mapping[str, Any]] = {
    "id": "0f4c6f5e4a2b4d0c8a1d7f3b2e9c6a51",
    "state": "running",
    "model": "arxiv-mini",
    "total": 10,
    "done": 4,
    "hits": 1,
    "misses": 3,
    "problems": 0,
    "ready": 4,
    "progress": 0.4,
    "seconds_left": 0.3,
    "created_at": "2026-01-02T03:04:05+00:00",
    "started_at": "2026-01-02T03:04:06+00:00",
    "finished_at": None,
    "delayed_until": None,
    "expires_at": "2026-01-09T03:04:05+00:00",
    "results": "/api/jobs/0f4c6f5e4a2b4d0c8a1d7f3b2e9c6a51/results",
    "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}
KEY: Final[Mapping[str, Any]] = {
    "id": "5xQ2mVt8LrNd",
    "name": "library",
    "scopes": ["predict", "read"],
    "created_at": "2026-01-02T03:04:05+00:00",
    "expires_at": None,
    "limits": [
        {"policy": "key", "quota": 6000, "seconds": 60, "remaining": 5990, "resets_in": 42},
        {"policy": "inference", "quota": 3000, "seconds": 60, "remaining": 2999, "resets_in": 42},
    ],
    "usage": [{"day": "2026-01-02", "requests": 12, "hits": 9, "misses": 1, "model_seconds": 0.006, "pdfs": 1}],
}
READINESS: Final[Mapping[str, Any]] = {
    "state": "ready",
    "store": "up",
    "models": {"arxiv-mini": "ready", "scibert-multi": "not installed"},
}
