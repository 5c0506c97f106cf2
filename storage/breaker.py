"""A circuit breaker: what does not answer costs a few timeouts, not one for every call."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from storage.errors import Unavailable

logger = logging.getLogger(__name__)

FAIL_MAX: Final = 3
PAUSE: Final = 5.0


class Breaker:
    """Closed until `fail_max` calls in a row have failed; then open, and closed again by a call that succeeds.

    While it is open calls are refused, save one every `pause` seconds, which is let through as a probe. Around a call:
    admit(), then answered() or failed() with what admit() gave; a call that never asked reports nothing. `name` says in
    the log what is given up (`writes`); opening and closing are logged once each, however many probes fail between.
    """

    def __init__(
        self,
        name: str,
        *,
        fail_max: int = FAIL_MAX,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.errors = 0
        self._fail_max = fail_max
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self.open = False
        """Whether calls are refused."""
        self.well = True
        """Whether there is nothing to tell by answered(), or to ask by admit(): the last call was answered."""
        self._failures = 0
        self._probe_at = 0.0
        self._reason = ""

    def admit(self) -> bool:
        """Whether this call is a probe. Raises Unavailable when it is to be spared."""
        if not self.open:
            return False
        with self._lock:
            if not self.open:
                return False
            now = self._clock()
            if now < self._probe_at:
                raise Unavailable(f"the store is not available: {self.name} are not tried ({self._reason})")
            self._probe_at = now + self._pause
            return True

    def answered(self, probe: bool) -> None:
        """The call was answered, if only by an error of its own (Conflict, Corrupt)."""
        if self.well:
            return
        with self._lock:
            # A call that was under way when the breaker opened says nothing new.
            if self.open and not probe:
                return
            self._failures = 0
            self.well = True
            if self.open:
                self.open = False
                logger.info("%s of the store are available again", self.name)

    def failed(self, exc: Exception) -> None:
        """The call was not answered."""
        with self._lock:
            self.errors += 1
            self.well = False
            self._failures += 1
            self._reason = str(exc)
            if not self.open and self._failures >= self._fail_max:
                self.open = True
                self._probe_at = self._clock() + self._pause
                logger.warning("%s of the store are not available; going on without them (%s)", self.name, exc)
