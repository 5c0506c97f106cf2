"""The server's clock, which a test can move."""

import time


class Clock:
    """Unix seconds; `offset` is what the test has moved it by."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset
