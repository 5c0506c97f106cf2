"""The service under a path of another's: behind a proxy that takes the path off, or mounted by a WSGI server."""

import re
from urllib.parse import quote, urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from service.access.prefix import forwarded_prefix
from service.app import create_app
from tests.service.conftest import ABSTRACT, MakeServices, with_key
from tests.service.front.serving import echo, get, served

HEADER = {"X-Forwarded-Prefix": "/scores"}


@pytest.mark.parametrize(
    ("header", "hops", "prefix"),
    [
        (None, 1, ""),
        ("/a", 0, ""),
        ("/a", 1, "/a"),
        ("/a/b/", 1, "/a/b"),
        ("a", 1, "/a"),
        ("/", 1, ""),
        ("/made-up, /a", 1, "/a"),
        ("/outer, /inner", 2, "/outer/inner"),
        ("/outer, /", 2, "/outer"),
        ("/a", 2, "/a"),
        ("//evil.example", 1, "/evil.example"),
        ("https://evil.example", 1, ""),
        ("/a/../b", 1, ""),
        ("/a//b", 1, ""),
        ('/"><script>', 1, ""),
        ("/a?b", 1, ""),
        ("/%2e%2e", 1, ""),
        ("/a\\b", 1, ""),
    ],
)
def test_only_proxies_and_plain_paths_are_believed(header: str | None, hops: int, prefix: str) -> None:
    assert forwarded_prefix(header, hops) == prefix


@pytest.fixture
def behind(make_services: MakeServices) -> FlaskClient:
    """A client behind one proxy that took /scores off the path."""
    services = make_services(TRUSTED_PROXIES="1")
    client = with_key(create_app(services=services), services.keys.create("x", ["predict", "read"])[1])
    client.environ_base["HTTP_X_FORWARDED_PREFIX"] = "/scores"
    return client


def test_every_address_of_a_job_begins_with_it(behind: FlaskClient) -> None:
    for _ in range(2):
        taken = behind.post("/api/jobs", json={"abstracts": [ABSTRACT]})
        assert taken.headers["Location"] == f"/scores/api/jobs/{taken.get_json()['id']}"
        assert taken.get_json()["results"] == f"/scores/api/jobs/{taken.get_json()['id']}/results"
    listed = behind.get("/api/jobs?limit=1").get_json()
    assert listed["next"].startswith("/scores/api/jobs?limit=1&after=")
    assert listed["jobs"][0]["results"].startswith("/scores/api/jobs/")


def test_every_problem_and_redirect_does(behind: FlaskClient) -> None:
    assert behind.post("/api/predict/", json={}).get_json()["type"] == "/scores/problems/invalid-request"
    batch = behind.post("/api/predict/batch", json={"abstracts": [ABSTRACT, "short"]}).get_json()
    assert batch["results"][1]["problem"]["type"] == "/scores/problems/invalid-request"
    assert behind.get("/nothing").get_json()["type"] == "about:blank"
    assert behind.get("/api//models?a=b").headers["Location"] == "/scores/api/models?a=b"


@pytest.mark.parametrize("page", ["/", "/docs"])
def test_what_a_page_loads_is_found_there(behind: FlaskClient, page: str) -> None:
    sources = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', behind.get(page).text)
    assert len(sources) >= 3
    for source in sources:
        address = urljoin(f"http://x/scores{page}", source)
        assert address.startswith("http://x/scores/")
        assert behind.get(address.removeprefix("http://x/scores")).status_code == 200


def test_scripts_find_the_service_from_their_own_address(behind: FlaskClient) -> None:
    scripts = [behind.get(f"/web/{name}").text for name in ("app.js", "docs.js")]
    assert [re.findall(r"""["'`]/(?:api|openapi)""", script) for script in scripts] == [[], []]


def test_the_other_spelling_of_a_page_leads_to_it(behind: FlaskClient) -> None:
    response = behind.get("/docs/")
    assert (response.status_code, response.headers["Location"]) == (308, "/scores/docs")


def test_the_document_says_where_the_service_is(behind: FlaskClient, client: FlaskClient) -> None:
    assert behind.get("/openapi.json").get_json()["servers"] == [{"url": "/scores"}]
    assert client.get("/openapi.json").get_json()["servers"] == [{"url": "/"}]


def test_without_proxies_the_header_counts_for_nothing(client: FlaskClient) -> None:
    assert client.post("/api/predict/", json={}, headers=HEADER).get_json()["type"] == "/problems/invalid-request"
    assert "/scores" not in client.get("/", headers=HEADER).text


@pytest.mark.parametrize("mount", ["/mounted", "/a b/<é>"])
def test_a_mount_of_the_server_counts_whatever_it_is(client: FlaskClient, mount: str) -> None:
    mounted = DispatcherMiddleware(Flask("outer"), {mount.encode().decode("latin-1"): client.application})
    browser = Client(mounted)
    page = browser.get(f"{mount}/").text
    style = re.findall(r'href="([^"]+style\.css)"', page)[0]
    assert browser.get(urljoin(f"{quote(mount)}/", style)).status_code == 200
    assert browser.get(f"{mount}/openapi.json").get_json()["servers"] == [{"url": quote(mount)}]


def test_a_proxy_before_a_mount_comes_first(behind: FlaskClient) -> None:
    problem = behind.get("/api/models/none", environ_overrides={"SCRIPT_NAME": "/inner"}).get_json()
    assert urljoin("https://x.example/scores/inner/api/models/none", problem["type"]).startswith(
        "https://x.example/scores/inner/problems/"
    )


def test_what_the_server_refuses_by_itself_says_it_too(make_services: MakeServices) -> None:
    services = make_services(TRUSTED_PROXIES="1")
    with served(echo, refuse=services.refusals) as server:
        answer = server.exchange(get("/", "X-Forwarded-Prefix: /scores", "Transfer-Encoding: gzip"))
    assert b'"type": "/scores/problems/malformed-http"' in answer
