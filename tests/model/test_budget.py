"""Several models within a limit of memory; the models here only say whether they are idle."""

import threading

import pytest

from model.budget import MemoryBudget
from model.errors import ModelUnavailable, Overloaded

WAIT = 10.0


class Model:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loaded = True

    def unload(self, timeout: float) -> bool:
        acquired = self.lock.acquire(timeout=timeout) if timeout else self.lock.acquire(blocking=False)
        if acquired:
            self.loaded = False
            self.lock.release()
        return acquired


def admitted(budget: MemoryBudget, *needs: int) -> list[Model]:
    models = [Model() for _ in needs]
    for model, need in zip(models, needs, strict=True):
        budget.admit(model, "m", need, WAIT)
    return models


def test_the_model_that_ran_longest_ago_leaves() -> None:
    budget = MemoryBudget(10)
    first, second = admitted(budget, 4, 4)
    budget.touch(first)
    (third,) = admitted(budget, 6)
    assert [model.loaded for model in (first, second, third)] == [True, False, True]
    assert budget.used == 10


def test_as_many_leave_as_must() -> None:
    budget = MemoryBudget(10)
    models = admitted(budget, 3, 3, 3, 9)
    assert [model.loaded for model in models] == [False, False, False, True]
    assert budget.used == 9


def test_a_model_that_runs_is_passed_over() -> None:
    budget = MemoryBudget(10)
    first, second = admitted(budget, 4, 4)
    with first.lock:
        admitted(budget, 4)
    assert first.loaded
    assert not second.loaded


def test_with_all_busy_it_waits_for_one() -> None:
    budget = MemoryBudget(4)
    (busy,) = admitted(budget, 4)
    busy.lock.acquire()
    waiting = threading.Thread(target=admitted, args=(budget, 4))
    waiting.start()
    assert busy.loaded
    busy.lock.release()
    waiting.join(WAIT)
    assert not busy.loaded
    assert budget.used == 4


def test_it_does_not_wait_for_ever() -> None:
    budget = MemoryBudget(4)
    (busy,) = admitted(budget, 4)
    with busy.lock, pytest.raises(Overloaded, match="no memory"):
        budget.admit(Model(), "m", 4, 0.02)
    assert busy.loaded
    assert budget.used == 4


def test_what_never_fits_is_refused_with_the_number_that_would() -> None:
    budget = MemoryBudget(4 << 20)
    (small,) = admitted(budget, 1)
    with pytest.raises(ModelUnavailable, match="needs about 6 MiB"):
        budget.admit(Model(), "large", (5 << 20) + 1, WAIT)
    assert small.loaded


def test_without_a_limit_nothing_leaves_and_what_is_forgotten_does_not_count() -> None:
    budget = MemoryBudget(0)
    models = admitted(budget, 1 << 40, 1 << 40)
    assert all(model.loaded for model in models)
    budget.forget(models[0])
    budget.forget(models[0])
    budget.touch(models[0])
    assert budget.used == 1 << 40
