"""What every engine must do, whatever runs the graph."""

from abc import abstractmethod
from collections.abc import Iterator

import pytest

from model.engines.base import Engine

LABELS = 3
IDS = [2, 5, 7, 9, 3]


class EngineContract:
    """Subclasses give an engine over the tiny BERT of tests/model, with LABELS sigmoid outputs."""

    @abstractmethod
    def make(self) -> Engine:
        """A new engine."""

    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        engine = self.make()
        yield engine
        engine.close()

    def test_gives_one_score_a_label_between_0_and_1(self, engine: Engine) -> None:
        scores = engine.scores(IDS)
        assert len(scores) == LABELS
        assert all(isinstance(score, float) and 0 <= score <= 1 for score in scores)

    def test_the_same_ids_give_the_same_scores_whatever_ran_between(self, engine: Engine) -> None:
        first = engine.scores(IDS)
        longer = engine.scores([*IDS[:-1], 6, 8, 10, 3])
        assert engine.scores(IDS) == first
        assert longer != first

    def test_reads_one_token_and_the_longest_text(self, engine: Engine) -> None:
        assert len(engine.scores([2, 3])) == LABELS
        assert len(engine.scores([2, *[5] * 30, 3])) == LABELS
