"""Pages of other origins: none may read an answer but those on the list, and those may read every answer."""

import pytest
from flask.testing import FlaskClient

from service.access.cors import Cors
from service.app import create_app
from tests.service.conftest import ABSTRACT, MakeServices, with_key
from tests.service.front.serving import echo, get, served

HERE = "https://page.example"
PREFLIGHT = {
    "Origin": HERE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}
READ = ("Age", "Cache-Status", "ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID")


@pytest.fixture
def page(make_services: MakeServices) -> FlaskClient:
    """A client with a good key, of a service that lets two origins in."""
    services = make_services(CORS_ORIGINS=f"{HERE} http://localhost:5173", LIMIT_IP="40 per minute")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict", "read"])[1])
    client.environ_base["HTTP_ORIGIN"] = HERE
    return client


def test_every_answer_can_be_read_also_that_of_the_lane_and_a_refusal(page: FlaskClient) -> None:
    lane_before = page.answered  # type: ignore[attr-defined]
    answers = [page.post("/api/predict/", json={"abstract": ABSTRACT}) for _ in range(2)]
    assert page.answered > lane_before  # type: ignore[attr-defined]
    answers += [
        page.post("/api/predict/", json={}),
        page.post("/api/predict/", json={"abstract": ABSTRACT}, headers={"Authorization": "Bearer no"}),
        page.get("/nothing"),
        page.get("/livez"),
        page.get("/docs"),
    ]
    answers += [page.get("/nothing") for _ in range(40)]
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 404, 429}
    for answer in answers:
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [HERE]
        assert "Origin" in ", ".join(answer.headers.getlist("Vary")).split(", ")
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert [name for name in READ if name not in exposed] == []
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/api/predict/", "/api/jobs/x", "/nothing", "/livez"])
def test_a_preflight_needs_no_key_and_uses_up_no_limit(page: FlaskClient, path: str) -> None:
    del page.environ_base["HTTP_AUTHORIZATION"]
    for _ in range(50):
        answer = page.options(path, headers=PREFLIGHT)
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == HERE
        assert {"GET", "POST", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "RateLimit" not in answer.headers


def test_a_preflight_that_names_no_headers_hears_what_there_are(page: FlaskClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x\ty"}
    allowed = page.options("/api/predict/", headers=asked).headers["Access-Control-Allow-Headers"]
    assert {"Authorization", "X-API-Key", "Content-Type", "Idempotency-Key"} <= set(allowed.split(", "))


@pytest.mark.parametrize(
    "origin", ["https://other.example", "http://page.example", "https://page.example:8443", "null"]
)
def test_others_are_told_nothing(page: FlaskClient, origin: str) -> None:
    refused = page.options("/api/predict/", headers=PREFLIGHT | {"Origin": origin})
    answered = page.get("/livez", headers={"Origin": origin})
    assert (refused.status_code, answered.status_code) == (405, 200)
    for answer in (refused, answered):
        assert [name for name in answer.headers.keys() if name.startswith("Access-Control")] == []  # noqa: SIM118
        assert answer.headers["Vary"] == "Origin"


def test_a_plain_options_is_no_preflight(page: FlaskClient) -> None:
    assert page.options("/api/predict/").status_code == 405


def test_by_default_nobody_is_let_in(client: FlaskClient) -> None:
    assert client.options("/api/predict/", headers=PREFLIGHT).status_code == 405
    answer = client.get("/livez", headers={"Origin": HERE})
    assert [name for name in ("Access-Control-Allow-Origin", "Vary") if name in answer.headers] == []


def test_a_star_is_everybody_and_answers_do_not_vary() -> None:
    assert Cors(["*"]).headers("https://any.example")[0] == ("Access-Control-Allow-Origin", "*")
    assert "Vary" not in dict(Cors(["*"]).headers("https://any.example"))


def test_what_the_server_refuses_by_itself_can_be_read(make_services: MakeServices) -> None:
    services = make_services(CORS_ORIGINS=HERE)
    with served(echo, refuse=services.refusals) as server:
        answer = server.exchange(get("/", f"Origin: {HERE}", "Transfer-Encoding: gzip"))
        other = server.exchange(get("/", "Origin: https://other.example", "Transfer-Encoding: gzip"))
    assert f"Access-Control-Allow-Origin: {HERE}".encode() in answer
    assert b"Access-Control" not in other
    assert b"Vary: Origin" in other
