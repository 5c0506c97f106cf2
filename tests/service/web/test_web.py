"""The page, its files, the OpenAPI document, what the problems mean."""

import re
from pathlib import Path
from typing import cast

import pytest
from flask.testing import FlaskClient

from service.app import Application
from service.errors import Slug
from service.kinds import KINDS
from tests.sources import ROOT


@pytest.fixture
def anybody(app: Application) -> FlaskClient:
    return app.test_client()


def test_the_page_loads_only_from_its_own_origin(anybody: FlaskClient) -> None:
    response = anybody.get("/")
    assert response.content_type == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    sources = set(re.findall(r'(?:src|href)="([^"]+)"', response.text)) - {"data:,"}
    assert "web/app.js" in sources
    assert re.search(r"<script(?![^>]*src=)|style=|onclick=", response.text) is None
    for path in sources:
        assert "//" not in path
        assert not path.startswith("/"), "the page may stand behind a prefix"
        assert anybody.get(f"/{path}").status_code == 200


def test_every_module_of_the_page_is_there(anybody: FlaskClient) -> None:
    wanted, seen = ["app.js", "docs.js"], set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        response = anybody.get(f"/web/{name}")
        assert response.status_code == 200, name
        wanted += set(re.findall(r'from "\./([^"]+)"', response.text)) - seen
    assert seen == {path.name for path in Path(ROOT, "service", "web", "scripts").iterdir()}


def test_a_file_that_is_known_is_not_sent_again(anybody: FlaskClient) -> None:
    for path in ("/", "/docs", "/web/app.js", "/docs/swagger-ui.css"):
        first = anybody.get(path)
        assert anybody.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_document_has_one_address(anybody: FlaskClient) -> None:
    assert anybody.get("/web/index.html").status_code == 404
    assert anybody.get("/web/__init__.py").status_code == 404


@pytest.mark.parametrize(("name", "kind"), [("app.js", "text/javascript"), ("style.css", "text/css")])
def test_its_files_have_their_types(anybody: FlaskClient, name: str, kind: str) -> None:
    response = anybody.get(f"/web/{name}")
    assert response.content_type.startswith(kind)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_openapi_document_describes_every_route_of_the_api(app: Application, anybody: FlaskClient) -> None:
    document = anybody.get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    described = {(path.rstrip("/"), method.upper()) for path, item in document["paths"].items() for method in item}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule).rstrip("/")
        if not rule.endpoint.startswith("web."):
            assert (path, "POST" if "POST" in (rule.methods or ()) else "GET") in described


def test_errors_are_described_as_problems(anybody: FlaskClient) -> None:
    document = anybody.get("/openapi.json").get_json()
    operation = document["paths"]["/api/predict"]["post"]
    assert {"200", "400", "401", "403", "413", "415", "429", "500", "503", "504"} <= set(operation["responses"])
    assert operation["security"] == [{"bearer": []}, {"apiKey": []}]
    for status, response in operation["responses"].items():
        if status not in ("200", "202"):
            name = response["$ref"].rpartition("/")[2]
            assert list(document["components"]["responses"][name]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("slug", sorted(KINDS))
def test_the_type_of_a_problem_can_be_looked_up(anybody: FlaskClient, slug: str) -> None:
    response = anybody.get(f"/problems/{slug}")
    assert response.status_code == 200
    assert KINDS[cast(Slug, slug)].title in response.text
