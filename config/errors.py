"""What can go wrong while settings are read."""

from collections.abc import Sequence


class SettingsError(Exception):
    """Some settings are wrong. `faults` has one sentence for each of them; none shows a secret."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        first = " " if len(self.faults) == 1 else "\n  "
        super().__init__("The settings are wrong:" + first + "\n  ".join(self.faults))


class UnreadableLine(ValueError):
    """A line of .env that is not understood: the message says why and what to write instead, and shows no value."""
