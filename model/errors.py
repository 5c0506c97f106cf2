"""Everything that the model package raises on purpose. Messages name the fault; what to do is for the caller to say."""


class ModelError(Exception):
    """Base of the package's errors."""


class CheckpointError(ModelError):
    """A checkpoint that cannot be read, or whose tensors are not exactly those that the architecture needs."""


class PullError(ModelError):
    """A model that cannot be fetched from its hub; `unreachable` when there is no way to the hub at all."""

    def __init__(self, message: str, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable


class ArtifactError(ModelError):
    """An artifact folder that is incomplete, altered or of another format; the message names every fault."""


class DataError(ModelError):
    """Training or evaluation data with an unusable row; the message names file, line and field."""


class TrainingError(ModelError):
    """A training run that cannot start, go on or be resumed as asked."""


class UnknownModel(ModelError):
    """No model of that name is shipped, installed or installable."""


class ModelUnavailable(ModelError):
    """A known model that cannot answer now.

    state: why, in a word: `not installed`, `untrained`, `damaged`, `replaced` or `too large`. reason: the same in more
    words. need: the bytes of memory that one asks for which is too large.
    """

    def __init__(self, name: str, state: str, reason: str, need: int = 0) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.state = state
        self.reason = reason
        self.need = need


class EngineError(ModelError):
    """The engine failed on a text, or gave back something other than one finite score a label."""


class Overloaded(ModelError):
    """The queue in front of the engine is full, or the text waited past its deadline.

    `retry_after` is the number of seconds after which a new try is sensible.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
