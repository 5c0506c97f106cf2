"""What makes a job wait, what ends it, and whose turn it is."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from model.errors import Overloaded
from service.app import create_app
from service.jobs.turns import Turns, next_claim
from storage.records.jobs import CHUNK, Claim, Jobs
from tests.service.conftest import MakeServices, TestServices, with_key
from tests.service.jobs.test_jobs_api import finished, post, results, state, texts
from tests.service.waiting import until


def claim(jobs: Jobs, id: str) -> Claim:
    claimed = jobs.claim(id, "w")
    assert claimed is not None
    return claimed


def test_an_overloaded_model_makes_a_job_wait(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures.append(Overloaded("too many texts wait", retry_after=0.01))
    done = finished(client, post(client, texts(10)))
    assert (done["done"], done["misses"], done["problems"]) == (10, 10, 0)


def test_a_quota_that_is_used_up_makes_a_job_wait(make_services: MakeServices) -> None:
    services = make_services(LIMIT_INFERENCE="2 per hour")
    app = create_app(services=services)
    client = with_key(app, services.keys.create("x", ["predict"])[1])
    response = post(client, texts(5))
    until(lambda: state(client, response)["delayed_until"])
    waiting = state(client, response)
    assert (waiting["state"], waiting["done"], len(services.engine.texts)) == ("queued", 0, 2)
    assert services.jobs.claim(waiting["id"], "another") is None
    # It holds no place: another key's job is done meanwhile.
    other = with_key(app, services.keys.create("y", ["predict"])[1])
    assert finished(other, post(other, texts(2)))["state"] == "done"


def test_what_a_quota_allowed_counts_as_what_it_was(make_services: MakeServices) -> None:
    services = make_services(LIMIT_INFERENCE="2 per second")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    response = post(client, texts(3))
    until(lambda: state(client, response)["state"] == "done", 30)
    assert state(client, response)["misses"] == 3
    assert [line["cached"] for line in results(client, response)] == [False] * 3


@pytest.mark.parametrize("how", ["revoked", "expired", "gone"])
def test_a_job_whose_key_is_no_longer_good_stops_at_the_next_chunk(services: TestServices, how: str) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    key = services.keys.create("x", ["predict"], expires_at=soon if how == "expired" else None)[0]
    job = services.jobs.create(key.id, "arxiv-mini", texts(3 * CHUNK))
    services.runner.run(claim(services.jobs, job.id), lambda: False)
    if how == "revoked":
        services.keys.revoke(key.id)
    elif how == "gone":
        services.backend.remove("keys", f"key/{key.id}")
    until(lambda: how != "expired" or datetime.now(UTC) > soon)
    services.runner.run(claim(services.jobs, job.id), lambda: False)
    ended = services.jobs.find(job.id)
    assert ended is not None
    assert (ended.state, services.jobs.progress(ended).done) == ("cancelled", CHUNK)
    assert len(services.engine.texts) == CHUNK


def test_what_is_stopped_is_given_back_at_once(services: TestServices) -> None:
    key = services.keys.create("x", ["predict"])[0]
    job = services.jobs.create(key.id, "arxiv-mini", texts(CHUNK))
    services.runner.run(claim(services.jobs, job.id), lambda: len(services.engine.texts) > 5)
    again = claim(services.jobs, job.id)
    assert 5 < len(again.held.lines) == again.held.counts.misses < CHUNK
    services.runner.run(again, lambda: False)
    assert len(services.engine.texts) == len(set(services.engine.texts)) == CHUNK


def test_abstracts_that_are_lost_are_problems_in_their_place(services: TestServices) -> None:
    key = services.keys.create("x", ["predict"])[0]
    job = services.jobs.create(key.id, "arxiv-mini", texts(CHUNK + 1))
    services.backend.remove("jobs", f"input/{job.id}/0")
    for _ in range(2):
        services.runner.run(claim(services.jobs, job.id), lambda: False)
    done = services.jobs.find(job.id)
    assert done is not None
    assert (done.state, services.jobs.progress(done).counts) == ("done", (0, 1, CHUNK))
    lines = b"".join(services.jobs.results(done)).splitlines()
    assert ["has lost" in line.decode() for line in lines] == [True] * CHUNK + [False]


def test_keys_take_turns(services: TestServices) -> None:
    big = services.jobs.create("a", "arxiv-mini", texts(5 * CHUNK)).id
    small = [services.jobs.create(owner, "arxiv-mini", texts(1)).id for owner in ("b", "c")]
    turns = Turns()
    claims = [next_claim(services.jobs, turns, f"w{i}") for i in range(8)]
    assert [made and made.job.id for made in claims] == [big, *small, big, big, big, big, None]
    later = services.jobs.create("b", "arxiv-mini", texts(3 * CHUNK)).id
    another = services.jobs.create("a", "arxiv-mini", texts(3 * CHUNK)).id
    claims = [next_claim(services.jobs, turns, f"v{i}") for i in range(6)]
    assert [made and made.job.id for made in claims] == [later, another] * 3
