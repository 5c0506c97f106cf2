"""What makes a job wait, what ends it, and what it does after a crash between two writes."""

from dataclasses import replace

from flask.testing import FlaskClient

from model.errors import Overloaded
from service.app import create_app
from tests.service.conftest import MakeServices, TestServices, with_key
from tests.service.jobs.test_jobs_api import finished, post, results, state, texts
from tests.service.waiting import until


def test_an_overloaded_model_makes_a_job_wait(client: FlaskClient, services: TestServices) -> None:
    services.engine.failures.append(Overloaded("too many texts wait", retry_after=0.01))
    done = finished(client, post(client, texts(10)))
    assert (done["done"], done["misses"], done["problems"]) == (10, 10, 0)


def test_a_quota_that_is_used_up_makes_a_job_wait(make_services: MakeServices) -> None:
    services = make_services(LIMIT_INFERENCE="2 per hour")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict"])[1])
    response = post(client, texts(5))
    until(lambda: state(client, response)["done"] == 2)
    until(lambda: state(client, response)["state"] == "queued")
    assert [line["cached"] for line in results(client, response)] == [False, False]
    (job,) = services.jobs.open_jobs()
    assert job.not_before is not None
    assert services.jobs.claim("another") is None


def test_a_job_of_a_revoked_key_ends(services: TestServices) -> None:
    key = services.keys.create("x", ["predict"])[0]
    services.jobs.create(key.id, "arxiv-mini", texts(2))
    services.keys.revoke(key.id)
    job = services.jobs.claim("w")
    assert job is not None
    assert services.runner.run(job, "w", lambda: False).state == "cancelled"
    assert services.engine.texts == []


def test_outcomes_that_a_crash_left_uncounted_are_written_anew(services: TestServices) -> None:
    key = services.keys.create("x", ["predict"])[0]
    services.jobs.create(key.id, "arxiv-mini", texts(4))
    job = services.jobs.claim("w")
    assert job is not None
    counted = services.jobs.progress(replace(job, done=2, hits=2), "w", 0, ['"a"', '"b"'])
    services.backend.put("jobs", f"output/{job.id}/0", b'{"items": ["1", "2", "3"]}')
    done = services.runner.run(counted, "w", lambda: False)
    lines = list(services.jobs.outcomes(done))
    assert (done.state, done.done, len(lines), lines[:2]) == ("done", 4, 4, ["1", "2"])
    assert all("arxiv-mini" in line for line in lines[2:])
