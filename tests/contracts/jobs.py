"""What jobs promise over any backend."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import Conflict, Full, NameTaken
from storage.records.jobs import CHUNK, OPEN, Item, Job, Jobs
from tests.contracts.backend_store import Store, StoreFixture

DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def texts(count: int) -> list[str]:
    return [f"the abstract number {i}" for i in range(count)]


def finish(jobs: Jobs, job: Job, holder: str) -> Job:
    """Works off a claimed job, a chunk at a time."""
    while not job.over:
        number = job.done // CHUNK
        lines = [f'{{"n": {text!r}}}' for text in jobs.input(job, number)]
        done = number * CHUNK + len(lines)
        job = jobs.progress(replace(job, done=done, misses=done), holder, number, lines)
    return job


class JobsContract(StoreFixture):
    """Every backend keeps jobs so that each is worked on by one at a time and ends complete."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def jobs(self, store: Store, clock: Clock) -> Iterator[Jobs]:
        """Jobs of which none is open."""
        store.backend.remove("jobs", OPEN)
        yield Jobs(store.backend, ttl=DAY, now=clock)
        store.backend.remove("jobs", OPEN)

    def test_a_job_is_stored_with_all_its_items(self, jobs: Jobs) -> None:
        items: list[Item] = [*texts(CHUNK + 2), {"problem": {"status": 400}}]
        job = jobs.create("alice", "m", iter(items), threshold=0.5, top_k=3)
        assert jobs.get(job.id, "alice") == job
        assert (job.state, job.total, job.done, job.threshold, job.top_k) == ("queued", CHUNK + 3, 0, 0.5, 3)
        assert [*jobs.input(job, 0), *jobs.input(job, 1)] == items

    def test_a_job_belongs_to_its_owner(self, jobs: Jobs) -> None:
        job = jobs.create("alice", "m", texts(1))
        assert jobs.get(job.id, "bob") is None
        assert jobs.cancel(job.id, "bob") is None
        assert jobs.get("x", "alice") is None
        assert jobs.get("0" * 32, "alice") is None
        assert [waiting.state for waiting in jobs.open_jobs()] == ["queued"]

    def test_outcomes_are_kept_in_order_and_the_abstracts_go(self, jobs: Jobs) -> None:
        job = jobs.create("alice", "m", texts(2 * CHUNK + 1))
        claimed = jobs.claim("w")
        assert claimed is not None
        done = finish(jobs, claimed, "w")
        assert (done.state, done.misses, done.holder) == ("done", 2 * CHUNK + 1, None)
        assert list(jobs.outcomes(done)) == [f'{{"n": {text!r}}}' for text in texts(2 * CHUNK + 1)]
        assert jobs.input(job, 0) == jobs.input(job, 2) == []
        assert jobs.open_jobs() == []

    def test_outcomes_are_there_while_it_runs(self, jobs: Jobs) -> None:
        jobs.create("alice", "m", texts(5))
        job = jobs.claim("w")
        assert job is not None
        assert list(jobs.outcomes(job)) == []
        job = jobs.progress(replace(job, done=2, hits=2), "w", 0, ['"a"', '"b"'])
        assert (job.state, list(jobs.outcomes(job))) == ("running", ['"a"', '"b"'])

    def test_outcomes_beyond_the_count_do_not_show(self, jobs: Jobs) -> None:
        jobs.create("alice", "m", texts(5))
        job = jobs.claim("w")
        assert job is not None
        jobs.progress(replace(job, done=3), "w", 0, ['"a"', '"b"', '"c"'])
        assert list(jobs.outcomes(replace(job, done=1))) == ['"a"']

    def test_first_come_first_served_and_each_once(self, jobs: Jobs) -> None:
        ids = [jobs.create("alice", "m", texts(1)).id for _ in range(3)]
        claimed = [jobs.claim(f"w{i}") for i in range(4)]
        assert [job and job.id for job in claimed] == [*ids, None]
        assert jobs.claim("late", ids[0]) is None

    def test_a_lapsed_lease_is_taken_over_and_work_goes_on_where_it_stopped(self, jobs: Jobs, clock: Clock) -> None:
        jobs.create("alice", "m", texts(CHUNK + 5))
        first = jobs.claim("dead")
        assert first is not None
        first = jobs.progress(replace(first, done=CHUNK), "dead", 0, ['"x"'] * CHUNK)
        clock.advance(14)
        assert jobs.claim("heir") is None
        clock.advance(2)
        heir = jobs.claim("heir")
        assert heir is not None
        assert (heir.done, heir.resumed_done, heir.started_at) == (CHUNK, CHUNK, first.started_at)
        with pytest.raises(Conflict):
            jobs.progress(replace(first, done=CHUNK + 1), "dead", 1, ['"y"'])
        with pytest.raises(Conflict):
            jobs.renew(first, "dead")
        assert finish(jobs, heir, "heir").state == "done"

    def test_renewing_keeps_it(self, jobs: Jobs, clock: Clock) -> None:
        jobs.create("alice", "m", texts(1))
        job = jobs.claim("w")
        assert job is not None
        for _ in range(3):
            clock.advance(10)
            jobs.renew(job, "w")
        assert jobs.claim("other") is None

    def test_a_released_job_waits_out_its_pause(self, jobs: Jobs, clock: Clock) -> None:
        jobs.create("alice", "m", texts(1))
        job = jobs.claim("w")
        assert job is not None
        jobs.release(job, "w", timedelta(seconds=60))
        assert jobs.claim("w") is None
        clock.advance(61)
        assert jobs.claim("w") is not None

    def test_cancelling_ends_it_for_its_worker_too(self, jobs: Jobs) -> None:
        made = jobs.create("alice", "m", texts(3))
        job = jobs.claim("w")
        assert job is not None
        jobs.progress(replace(job, done=1), "w", 0, ['"a"'])
        cancelled = jobs.cancel(made.id, "alice")
        assert cancelled is not None
        assert (cancelled.state, list(jobs.outcomes(cancelled))) == ("cancelled", ['"a"'])
        with pytest.raises(Conflict):
            jobs.progress(replace(job, done=2), "w", 0, ['"a"', '"b"'])
        assert jobs.cancel(made.id, "alice") == cancelled
        assert (jobs.open_jobs(), jobs.input(job, 0)) == ([], [])

    def test_the_same_request_again_is_the_same_job(self, jobs: Jobs) -> None:
        first = jobs.create("alice", "m", texts(3), name="n", digest=lambda: "d")
        assert jobs.create("alice", "m", texts(3), name="n", digest=lambda: "d").id == first.id
        with pytest.raises(NameTaken):
            jobs.create("alice", "m", texts(4), name="n", digest=lambda: "other")
        assert jobs.create("bob", "m", texts(3), name="n", digest=lambda: "d").id != first.id
        assert len(jobs.open_jobs()) == 2

    def test_a_failure_while_items_are_read_leaves_nothing(self, jobs: Jobs) -> None:
        def broken() -> Iterator[str]:
            yield from texts(CHUNK)
            raise Full

        before = jobs.create("alice", "m", texts(1), name="n", digest=lambda: "d")
        with pytest.raises(Full):
            jobs.create("alice", "m", broken(), name="m", digest=lambda: "d")
        with pytest.raises(ValueError, match="at least one"):
            jobs.create("alice", "m", [])
        assert [job.id for job in jobs.open_jobs()] == [before.id]

    def test_so_many_may_wait_and_no_more(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.records.jobs.MOST_OPEN", 2)
        first, _ = [jobs.create("alice", "m", texts(1)) for _ in range(2)]
        with pytest.raises(Full):
            jobs.create("alice", "m", texts(1), name="n", digest=lambda: "d")
        jobs.cancel(first.id, "alice")
        assert jobs.create("alice", "m", texts(1), name="n", digest=lambda: "d").state == "queued"

    def test_a_damaged_job_does_not_stop_the_others(self, store: Store, jobs: Jobs) -> None:
        damaged = jobs.create("alice", "m", texts(1))
        good = jobs.create("alice", "m", texts(1))
        store.backend.put("jobs", f"job/{damaged.id}", b'{"state": "odd"}')
        claimed = jobs.claim("w")
        assert claimed is not None
        assert claimed.id == good.id

    def test_time_left_is_told_by_the_pace(self, jobs: Jobs, clock: Clock) -> None:
        jobs.create("alice", "m", texts(10))
        job = jobs.claim("w")
        assert job is not None
        assert job.seconds_left(clock()) is None
        clock.advance(8)
        job = jobs.progress(replace(job, done=4), "w", 0, ['"x"'] * 4)
        assert job.seconds_left(clock()) == pytest.approx(12)
        assert replace(job, state="done").seconds_left(clock()) == 0
