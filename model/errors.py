"""Everything that the model package raises on purpose."""


class ModelError(Exception):
    """Base of the package's errors; the message names the fault and the remedy."""


class CheckpointError(ModelError):
    """A checkpoint that cannot be read, or whose tensors are not exactly those that the architecture needs."""


class PullError(ModelError):
    """A model that cannot be fetched from its hub; the message says what to do instead."""


class ArtifactError(ModelError):
    """An artifact folder that is incomplete, altered or of another format; the message names every fault."""


class DataError(ModelError):
    """Training or evaluation data with an unusable row; the message names file, line and field."""


class TrainingError(ModelError):
    """A training run that cannot start, go on or be resumed as asked."""


class UnknownModel(ModelError):
    """No model of that name is shipped, installed or installable."""


class ModelUnavailable(ModelError):
    """A known model that cannot answer now."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason}; {remedy}")
        self.name = name
        self.reason = reason
        self.remedy = remedy


class NotInstalled(ModelUnavailable):
    """A known model without an artifact on this machine."""


class Untrained(ModelUnavailable):
    """An artifact whose head was never trained: it is refused for serving."""


class Damaged(ModelUnavailable):
    """An artifact that failed its verification."""


class Replaced(ModelUnavailable):
    """An artifact whose files were replaced after it was opened: what was opened can no longer be loaded."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "its files have been replaced", "have them read: flask --app wsgi model reload")


class TooLarge(ModelUnavailable):
    """A model that needs more memory than all models together may have."""

    def __init__(self, name: str, need: int, limit: int) -> None:
        mib = -(-need // (1 << 20))
        super().__init__(
            name,
            f"it needs about {mib} MiB, and {limit >> 20} MiB is the limit",
            f"set ABSTRACTS_MODEL_MEMORY_LIMIT to {mib} or more",
        )


class EngineError(ModelError):
    """The engine failed on a text, or gave back something other than one finite score a label."""


class Overloaded(ModelError):
    """The queue in front of the engine is full, or the text waited past its deadline.

    `retry_after` is the number of seconds after which a new try is sensible.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
