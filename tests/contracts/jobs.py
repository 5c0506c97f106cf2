"""What jobs promise over any backend."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import Conflict, Corrupt, Full, NameTaken, OwnerFull
from storage.records.chunks import Counts, Item
from storage.records.job import Job
from storage.records.jobs import CHUNK, Claim, Jobs
from storage.records.listings import OPEN
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


def outcomes(items: list[Item] | list[str]) -> list[str]:
    return [json.dumps({"n": item}) for item in items]


def take(jobs: Jobs, job: Job, holder: str = "w", number: int | None = None) -> Claim:
    claim = jobs.claim(job.id, holder, number)
    assert claim is not None
    return claim


def finish(jobs: Jobs, claim: Claim) -> None:
    items = jobs.input(claim)
    assert items is not None
    jobs.finish(claim, outcomes(items), Counts(misses=len(items)))


def work_off(jobs: Jobs, job: Job, holder: str = "w") -> Job:
    while claim := jobs.claim(job.id, holder):
        finish(jobs, claim)
    return found(jobs, job)


def found(jobs: Jobs, job: Job) -> Job:
    again = jobs.find(job.id)
    assert again is not None
    return again


def read(jobs: Jobs, job: Job) -> list[str]:
    return b"".join(jobs.results(found(jobs, job))).decode().splitlines()


class JobsContract(StoreFixture):
    """Every backend keeps jobs so that each chunk is written once, by whoever holds it, and jobs end complete."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def jobs(self, store: Store, clock: Clock) -> Iterator[Jobs]:
        """Jobs of which none is open."""
        for key in (OPEN, "owner/alice", "owner/bob"):
            store.backend.remove("jobs", key)
        yield Jobs(store.backend, ttl=DAY, now=clock)
        store.backend.remove("jobs", OPEN)

    def test_a_job_is_stored_with_all_its_items(self, jobs: Jobs) -> None:
        items: list[Item] = [*texts(CHUNK + 2), {"problem": {"status": 400}}]
        job = jobs.create("alice", "m", iter(items), threshold=0.5, top_k=3)
        assert jobs.get(job.id, "alice") == job
        assert (job.state, job.total, job.threshold, job.top_k) == ("open", CHUNK + 3, 0.5, 3)
        assert jobs.progress(job)[:4] == (0, Counts(), 0, 0)
        first, second = take(jobs, job), take(jobs, job)
        assert [*(jobs.input(first) or []), *(jobs.input(second) or [])] == items

    def test_a_job_belongs_to_its_owner(self, jobs: Jobs) -> None:
        job = jobs.create("alice", "m", texts(1))
        assert jobs.get(job.id, "bob") is None
        assert jobs.cancel(job.id, "bob") is None
        assert jobs.get("x", "alice") is None
        assert jobs.get("0" * 32, "alice") is None
        assert (jobs.waiting(), jobs.of("bob", None, 9)) == ([(job.id, "alice")], [])

    def test_outcomes_are_in_order_whoever_wrote_them_and_the_abstracts_go(self, jobs: Jobs, store: Store) -> None:
        job = jobs.create("alice", "m", texts(2 * CHUNK + 1))
        claims = [take(jobs, job, f"w{i}") for i in range(3)]
        assert jobs.claim(job.id, "late") is None
        finish(jobs, claims[2])
        assert (jobs.progress(job).done, jobs.progress(job).ready, read(jobs, job)) == (1, 0, [])
        finish(jobs, claims[0])
        assert (jobs.progress(job).done, jobs.progress(job).ready) == (CHUNK + 1, CHUNK)
        assert read(jobs, job) == outcomes(texts(CHUNK))
        finish(jobs, claims[1])
        done = found(jobs, job)
        assert (done.state, jobs.progress(done).counts) == ("done", Counts(misses=2 * CHUNK + 1))
        assert read(jobs, job) == outcomes(texts(2 * CHUNK + 1))
        assert [store.backend.get("jobs", f"input/{job.id}/{n}") for n in range(3)] == [None] * 3
        assert jobs.waiting() == []

    def test_results_can_be_read_from_anywhere(self, jobs: Jobs) -> None:
        job = work_off(jobs, jobs.create("alice", "m", texts(2 * CHUNK + 1)))
        whole = b"".join(jobs.results(job))
        assert len(whole) == jobs.progress(job).size
        for start, end in ((0, 0), (5, 9), (len(whole) // 2, None), (len(whole) - 1, len(whole)), (0, 10**9)):
            assert b"".join(jobs.results(job, start, end)) == whole[start:end]
        for line in (0, 1, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 1, 10**9):
            assert whole[jobs.offset(job, line) :].decode().splitlines() == outcomes(texts(2 * CHUNK + 1))[line:]

    @pytest.mark.parametrize("damage", [None, b"{}", b"\xff", b'{"items": ["x"], "counts": [0, 1, 0]}'])
    def test_an_output_that_is_missing_or_damaged_is_an_error(
        self, jobs: Jobs, store: Store, damage: bytes | None
    ) -> None:
        job = work_off(jobs, jobs.create("alice", "m", texts(3 * CHUNK)))
        key = f"output/{job.id}/1"
        store.backend.remove("jobs", key) if damage is None else store.backend.put("jobs", key, damage)
        pieces = jobs.results(job)
        assert next(pieces).decode().splitlines() == outcomes(texts(CHUNK))
        with pytest.raises(Corrupt):
            next(pieces)

    def test_a_mark_that_is_missing_is_an_error(self, jobs: Jobs, store: Store, clock: Clock) -> None:
        job = work_off(jobs, jobs.create("alice", "m", texts(3 * CHUNK)))
        store.backend.remove("jobs", f"chunk/{job.id}/1")
        with pytest.raises(Corrupt):
            list(Jobs(store.backend, ttl=DAY, now=clock).results(job))

    def test_a_worker_that_wakes_after_its_lease_changes_nothing(self, jobs: Jobs, clock: Clock) -> None:
        job = jobs.create("alice", "m", texts(40))
        sleeper = take(jobs, job, "sleeper")
        items = jobs.input(sleeper)
        clock.advance(16)
        done = work_off(jobs, job, "other")
        assert (done.state, jobs.progress(done).done) == ("done", 40)
        for late in (jobs.renew, lambda claim: jobs.release(claim, ["x"], Counts(problems=1))):
            with pytest.raises(Conflict):
                late(sleeper)
        with pytest.raises(Conflict):
            jobs.finish(sleeper, ["shifted"] * len(items or []), Counts(problems=CHUNK))
        assert read(jobs, job) == outcomes(texts(40))
        assert jobs.progress(found(jobs, job)).counts == Counts(misses=40)

    def test_what_is_complete_never_changes_even_for_its_holder(self, jobs: Jobs, store: Store, clock: Clock) -> None:
        job = jobs.create("alice", "m", texts(2))
        held = take(jobs, job, "slow")
        # Another wrote the output; this one was stopped just before it would have written its own.
        output = {"items": outcomes(texts(2)), "counts": [0, 2, 0]}
        store.backend.put("jobs", f"output/{job.id}/0", json.dumps(output).encode())
        jobs.finish(held, ["x", "y"], Counts(problems=2))
        assert read(jobs, job) == outcomes(texts(2))
        assert jobs.progress(found(jobs, job)).counts == Counts(misses=2)

    def test_an_output_without_its_mark_is_found_by_the_next(self, jobs: Jobs, store: Store, clock: Clock) -> None:
        job = jobs.create("alice", "m", texts(CHUNK + 1))
        take(jobs, job, "dies before the mark")
        output = {"items": outcomes(texts(CHUNK)), "counts": [0, CHUNK, 0]}
        store.backend.put("jobs", f"output/{job.id}/0", json.dumps(output).encode())
        clock.advance(16)
        assert take(jobs, job).number == 1
        assert jobs.progress(job).ready == CHUNK

    def test_renewing_keeps_it_and_a_lapsed_lease_is_taken_over(self, jobs: Jobs, clock: Clock) -> None:
        job = jobs.create("alice", "m", texts(1))
        claim = take(jobs, job)
        for _ in range(3):
            clock.advance(10)
            jobs.renew(claim)
        assert jobs.claim(job.id, "other") is None
        clock.advance(16)
        assert take(jobs, job, "other").number == 0

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_a_clock_that_jumps_holds_nothing_up(self, jobs: Jobs, clock: Clock, hours: int) -> None:
        job = jobs.create("alice", "m", texts(CHUNK + 1))
        take(jobs, job, "dead")
        jobs.delay(job, timedelta(seconds=10))
        clock.advance(hours * 3600)
        assert work_off(jobs, job).state == "done"
        assert read(jobs, job) == outcomes(texts(CHUNK + 1))

    def test_what_is_given_back_goes_on_where_it_stopped(self, jobs: Jobs) -> None:
        job = jobs.create("alice", "m", texts(3))
        jobs.release(take(jobs, job), outcomes(texts(2)), Counts(hits=2))
        assert jobs.progress(job).done == 0
        again = take(jobs, job, "other")
        assert (list(again.held.lines), again.held.counts) == (outcomes(texts(2)), Counts(hits=2))
        jobs.finish(again, outcomes(texts(3)), Counts(hits=2, misses=1))
        assert found(jobs, job).state == "done"

    def test_a_job_that_must_wait_has_no_work(self, jobs: Jobs, clock: Clock) -> None:
        job = jobs.create("alice", "m", texts(1))
        jobs.delay(job, timedelta(seconds=60))
        assert (jobs.claim(job.id, "w"), jobs.todo(job.id, 9)) == (None, [])
        assert jobs.progress(job).delayed_until == clock() + timedelta(seconds=60)
        clock.advance(61)
        assert jobs.todo(job.id, 9) == [(0, None)]
        assert jobs.claim(job.id, "w") is not None

    def test_cancelling_ends_it_for_its_workers_too(self, jobs: Jobs) -> None:
        made = jobs.create("alice", "m", texts(2 * CHUNK + 1))
        finish(jobs, take(jobs, made))
        late = take(jobs, made)
        cancelled = jobs.cancel(made.id, "alice")
        assert cancelled is not None
        assert (cancelled.state, read(jobs, made)) == ("cancelled", outcomes(texts(CHUNK)))
        for change in (jobs.renew, jobs.input, lambda claim: jobs.finish(claim, ["x"] * CHUNK, Counts())):
            with pytest.raises(Conflict):
                change(late)
        assert jobs.cancel(made.id, "alice") == cancelled
        assert (jobs.waiting(), jobs.claim(made.id, "w")) == ([], None)

    def test_an_incomplete_output_is_not_taken(self, jobs: Jobs) -> None:
        claim = take(jobs, jobs.create("alice", "m", texts(3)))
        with pytest.raises(ValueError, match="3 items has 2 outcomes"):
            jobs.finish(claim, ["a", "b"], Counts())

    def test_the_same_request_again_is_the_same_job(self, jobs: Jobs) -> None:
        first = jobs.create("alice", "m", texts(3), name="n", digest=lambda: "d")
        assert jobs.create("alice", "m", texts(3), name="n", digest=lambda: "d").id == first.id
        with pytest.raises(NameTaken):
            jobs.create("alice", "m", texts(4), name="n", digest=lambda: "other")
        assert jobs.create("bob", "m", texts(3), name="n", digest=lambda: "d").id != first.id
        assert len(jobs.waiting()) == 2

    def test_a_failure_while_items_are_read_leaves_nothing(self, jobs: Jobs) -> None:
        def broken() -> Iterator[str]:
            yield from texts(CHUNK)
            raise Full

        before = jobs.create("alice", "m", texts(1), name="n", digest=lambda: "d")
        with pytest.raises(Full):
            jobs.create("alice", "m", broken(), name="m", digest=lambda: "d")
        with pytest.raises(ValueError, match="at least one"):
            jobs.create("alice", "m", [])
        assert [job.id for job in jobs.waiting()] == [before.id]
        assert [job.id for job in jobs.of("alice", None, 9)] == [before.id]

    def test_so_many_may_wait_and_no_more(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.records.listings.MOST_OPEN", 2)
        first, _ = [jobs.create("alice", "m", texts(1)) for _ in range(2)]
        with pytest.raises(Full):
            jobs.create("alice", "m", texts(1), name="n", digest=lambda: "d")
        jobs.cancel(first.id, "alice")
        assert jobs.create("alice", "m", texts(1), name="n", digest=lambda: "d").state == "open"

    def test_one_owner_cannot_shut_others_out(self, store: Store, jobs: Jobs, clock: Clock) -> None:
        few = Jobs(store.backend, ttl=DAY, most_open=2, now=clock)
        first = few.create("alice", "m", texts(1), name="n", digest=lambda: "d")
        few.create("alice", "m", texts(1))
        for name in (None, "another"):
            with pytest.raises(OwnerFull, match="2 jobs"):
                few.create("alice", "m", texts(1), name=name)
        assert few.create("alice", "m", texts(1), name="n", digest=lambda: "d").id == first.id
        assert few.create("bob", "m", texts(1)).state == "open"
        work_off(few, first)
        assert few.create("alice", "m", texts(1), name="another").state == "open"

    def test_ones_own_are_listed_newest_first_and_paged(self, jobs: Jobs, clock: Clock) -> None:
        made = []
        for _ in range(3):
            made.append(jobs.create("alice", "m", texts(1)).id)
            clock.advance(1)
        jobs.create("bob", "m", texts(1))
        jobs.cancel(made[0], "alice")
        assert [job.id for job in jobs.of("alice", None, 2)] == made[:0:-1]
        assert [job.state for job in jobs.of("alice", made[1], 2)] == ["cancelled"]
        assert jobs.of("alice", "nonsense", 2) == []
        clock.advance(DAY.total_seconds())
        jobs.create("alice", "m", texts(1))
        assert len(jobs.of("alice", None, 9)) == 1

    def test_a_damaged_job_does_not_stop_the_others(self, store: Store, jobs: Jobs) -> None:
        damaged = jobs.create("alice", "m", texts(1))
        good = jobs.create("alice", "m", texts(1))
        store.backend.put("jobs", f"head/{damaged.id}", b'{"state": "odd"}')
        assert jobs.claim(damaged.id, "w") is None
        assert [job.id for job in jobs.waiting()] == [good.id]

    def test_a_damaged_state_of_a_chunk_is_worked_off_anew(self, store: Store, jobs: Jobs) -> None:
        job = jobs.create("alice", "m", texts(1))
        store.backend.put("jobs", f"chunk/{job.id}/0", b'{"odd": 1}')
        assert work_off(jobs, job).state == "done"

    def test_jobs_of_an_earlier_layout_are_gone(self, store: Store, jobs: Jobs) -> None:
        store.backend.put("jobs", OPEN, b'{"ids": ["0123456789abcdef0123456789abcdef"]}')
        store.backend.put("jobs", "job/0123456789abcdef0123456789abcdef", b'{"state": "running"}')
        assert jobs.waiting() == []
        assert jobs.get("0123456789abcdef0123456789abcdef", "alice") is None
        assert jobs.create("alice", "m", texts(1)).state == "open"

    def test_time_left_is_told_by_the_pace(self, jobs: Jobs, clock: Clock) -> None:
        job = jobs.create("alice", "m", texts(4 * CHUNK))
        claim = take(jobs, job)
        assert jobs.progress(job).started_at == clock()
        assert jobs.progress(job).seconds_left is None
        clock.advance(8)
        finish(jobs, claim)
        assert jobs.progress(job).seconds_left == pytest.approx(24)
        assert jobs.progress(work_off(jobs, job)).seconds_left == 0
