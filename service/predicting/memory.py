"""The predictions kept in this process, in front of the store."""

from datetime import UTC, datetime
from threading import Lock

from cachetools import TTLCache

from storage.records.predictions import Prediction


class Memory:
    """The predictions asked for last. Thread safe.

    Predictions are immutable, so what is kept can only be purged, never wrong; one that was purged elsewhere stays for
    at most `ttl` seconds.
    """

    def __init__(self, size: int, ttl: float) -> None:
        self._kept: TTLCache[str, Prediction] = TTLCache(size, ttl)
        self._lock = Lock()

    def get(self, id: str) -> Prediction | None:
        """The prediction with this id; None if it is not kept or has expired."""
        with self._lock:
            prediction = self._kept.get(id)
        if prediction is None or (prediction.expires_at is not None and prediction.expires_at <= datetime.now(UTC)):
            return None
        return prediction

    def put(self, prediction: Prediction) -> None:
        """Keeps it, in place of the one that was put first if there is no room."""
        if self._kept.maxsize >= 1:
            with self._lock:
                self._kept[prediction.id] = prediction

    def clear(self) -> None:
        """Forgets all; what is stored stays."""
        with self._lock:
            self._kept.clear()
