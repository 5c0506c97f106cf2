"""Owners take turns for places."""

import threading
from collections.abc import Sequence

import pytest

from service.pdf.errors import PdfBusy
from service.pdf.fairqueue import FairQueue
from tests.service.waiting import until

PATIENCE = 60.0


class Crowd:
    """Callers in threads; `served` has their owners in the order in which they had a place."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.served: list[str] = []
        self.refused: list[str] = []
        self.threads: list[threading.Thread] = []

    def come(self, owner: str) -> None:
        """Returns when the caller waits, or one is refused."""
        before = self.queue.waiting, len(self.refused)
        self.threads.append(threading.Thread(target=self._ask, args=(owner,)))
        self.threads[-1].start()
        until(lambda: (self.queue.waiting, len(self.refused)) != before)

    def _ask(self, owner: str) -> None:
        try:
            with self.queue.place(owner, PATIENCE):
                self.served.append(owner)
        except PdfBusy:
            self.refused.append(owner)


def crowd(waiting: int, owners: Sequence[str]) -> Crowd:
    """What becomes of callers that come in this order while the only place is taken."""
    people = Crowd(FairQueue(1, waiting))
    with people.queue.place("first", 0):
        for owner in owners:
            people.come(owner)
    for thread in people.threads:
        thread.join(PATIENCE)
    return people


def test_owners_are_served_by_turns() -> None:
    assert crowd(8, "aaaab").served == ["a", "b", "a", "a", "a"]


def test_no_more_wait_than_there_is_room_for() -> None:
    people = crowd(3, "aaaaa")
    assert (people.served, people.refused) == (["a"] * 3, ["a"] * 2)


def test_where_it_is_full_the_greediest_makes_room() -> None:
    people = crowd(4, "aaaab")
    assert sorted(people.served) == ["a", "a", "a", "b"]
    assert people.refused == ["a"]


def test_who_has_as_much_as_the_others_makes_nobody_leave() -> None:
    people = crowd(4, "aabbb")
    assert sorted(people.served) == ["a", "a", "b", "b"]
    assert people.refused == ["b"]


def test_who_waits_too_long_is_refused_and_forgotten() -> None:
    queue = FairQueue(1, 4)
    with queue.place("a", 0):
        with pytest.raises(PdfBusy), queue.place("b", 0.01):
            pass
        assert queue.waiting == 0
    with queue.place("b", 0):
        pass
