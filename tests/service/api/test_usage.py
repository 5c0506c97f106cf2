"""What requests, answers, papers and jobs count for a key."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask.testing import FlaskClient

from config import load_settings
from service.app import create_app
from service.bootstrap import Services
from service.front.answering import Reply
from storage.records.usage import Usage
from tests.service.conftest import ABSTRACT, MakeServices, TestServices, with_key
from tests.service.front.test_lane import asked, request
from tests.service.front.test_server import Server
from tests.service.jobs.test_jobs_api import finished, post, texts
from tests.service.pdf.test_pdf_api import PAPER


def used(services: Services, key: str) -> Usage:
    """All that the key, with this id, has been used for until now."""
    services.meter.write()
    today = datetime.now(UTC).date()
    found = services.usages.read([today - timedelta(days=1), today], [key])
    return sum(found.values(), Usage())


def only_key(services: Services) -> str:
    (key,) = services.keys.list()
    return key.id


def test_requests_hits_misses_and_model_seconds(client: FlaskClient, services: TestServices) -> None:
    for _ in range(3):
        client.post("/api/predict/", json={"abstract": ABSTRACT})
    client.post("/api/predict/batch", json={"abstracts": [ABSTRACT, f"{ABSTRACT} More.", f"{ABSTRACT} More.", ""]})
    client.get("/api/models")
    client.post("/api/predict/", json={"abstract": "short"})
    assert used(services, only_key(services)) == Usage(requests=6, hits=4, misses=2, model_seconds=0.004)


def test_the_lane_counts_as_flask_does(client: FlaskClient, services: TestServices, key: str) -> None:
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    assert isinstance(asked(services.lane, request(key)), Reply)
    assert asked(services.lane, request(key, body='{"abstract": "short"}')) is None
    assert used(services, only_key(services)) == Usage(requests=2, hits=1, misses=1, model_seconds=0.002)


def test_papers_count_if_they_were_read(client: FlaskClient, services: TestServices) -> None:
    for data in (PAPER, PAPER, b"hello"):
        client.post("/api/predict/pdf", data={"file": (io.BytesIO(data), "paper.pdf")})
    usage = used(services, only_key(services))
    assert (usage.requests, usage.hits, usage.misses, usage.pdfs) == (3, 1, 1, 2)


def test_jobs_count_for_their_key(client: FlaskClient, services: TestServices) -> None:
    finished(client, post(client, [*texts(9), texts(1)[0]]))
    usage = used(services, only_key(services))
    assert (usage.hits, usage.misses) == (1, 9)


def test_what_is_refused_counts_for_the_key_and_a_bad_key_for_none(make_services: MakeServices) -> None:
    services = make_services(LIMIT_KEY="2 per day")
    reading, writing = (services.keys.create(scope, [scope]) for scope in ("read", "predict"))
    app = create_app(services=services)
    client = with_key(app, reading[1])
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 403
    client = with_key(app, writing[1])
    codes = [client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert with_key(app, f"{writing[1]}x").get("/api/models").status_code == 401
    assert [used(services, key.id).requests for key, _ in (reading, writing)] == [1, 3]


def test_an_outage_stops_no_request_and_loses_nothing(client: FlaskClient, services: TestServices) -> None:
    client.post("/api/predict/", json={"abstract": ABSTRACT})
    services.store.down = True
    assert client.post("/api/predict/", json={"abstract": ABSTRACT}).status_code == 200
    services.meter.write()
    assert "abstracts_usage_lost_total 0.0" in client.get("/metrics").text
    services.store.down = False
    assert used(services, only_key(services)).requests == 2  # probes have no key


def test_a_clean_stop_of_several_workers_writes_all_of_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.variables["ABSTRACTS_WORKERS"] = "2"
    with server.running():
        assert {server.predict()[0] for _ in range(20)} == {200}
    opened = Services(load_settings(server.variables))
    usage = used(opened, only_key(opened))
    opened.close()
    assert (usage.requests, usage.hits + usage.misses, usage.misses >= 1) == (20, 20, True)
