"""The client that openapi-python-client generates, against a live server: every operation."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.service.api.test_api_page import write_paper
from tests.service.conftest import ABSTRACT
from tests.service.front.test_server import Server
from tests.service.waiting import until

PACKAGE = "abstracts_client"
CONFIGURATION = {
    "package_name_override": PACKAGE,
    "content_type_overrides": {"application/x-ndjson": "text/plain"},
    "post_hooks": [],
}
"""docs/api.md says the same: the generator knows no JSON lines, and takes them for text."""

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def generated(description: Path) -> Iterator[Path]:
    """The folder with the package, on the path."""
    folder = description.parent
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION))
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "openapi_python_client",
        "generate",
        "--meta",
        "none",
        "--path",
        description,
    ]
    command += ["--output-path", folder / PACKAGE, "--config", folder / "configuration.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    (folder / "told").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def call(generated: Path, server: Server) -> Iterator[Call]:
    """Calls an operation by its operationId, and gives what was answered: status and object."""
    modules = {path.stem: ".".join(path.relative_to(generated).with_suffix("").parts) for path in operations(generated)}
    client = import_module(PACKAGE).AuthenticatedClient(
        base_url=f"http://127.0.0.1:{server.port}", token=server.key, timeout=60
    )

    def call(operation: str, *arguments: Any, **named: Any) -> Any:
        response = import_module(modules[operation]).sync_detailed(*arguments, client=client, **named)
        return response.status_code.value, response.parsed

    with client:
        yield call


def operations(generated: Path) -> list[Path]:
    return [path for path in generated.glob(f"{PACKAGE}/api/*/*.py") if path.stem != "__init__"]


def model(name: str) -> Any:
    return getattr(import_module(f"{PACKAGE}.models"), name)


def file(path: Path, kind: str) -> Any:
    return import_module(f"{PACKAGE}.types").File(BytesIO(path.read_bytes()), path.name, kind)


def test_every_operation_is_generated(generated: Path, description: Path) -> None:
    document = json.loads(description.read_text("utf-8"))
    named = [
        one["operationId"] for item in document["paths"].values() for key, one in item.items() if key != "parameters"
    ]
    assert sorted(path.stem for path in operations(generated)) == sorted(named)
    told = (generated / "told").read_text()
    assert [line for line in told.splitlines() if line.startswith(("WARNING", "ERROR", "Unsupported", "Cannot"))] == [
        # Lines and tables can be sent as files of any form, which the generator knows.
        "WARNING parsing POST /api/jobs within jobs.",
        "Unsupported content type text/plain",
        "WARNING parsing POST /api/jobs within jobs.",
        "Unsupported content type text/csv",
    ]


def test_one_abstract_and_its_stored_prediction(call: Call) -> None:
    status, answer = call("predict", body=model("PredictRequest")(abstract=ABSTRACT, top_k=1))
    assert (status, len(answer.categories)) == (200, 1)
    assert answer.predictions[0][answer.labels.index(answer.categories[0].label)] == answer.categories[0].score
    status, named = call("predict_with_model", answer.model, body=model("PredictRequest")(abstract=ABSTRACT))
    assert (status, named.id, named.cached) == (200, answer.id, True)
    status, stored = call("get_prediction", answer.id, threshold=0.0)
    assert (status, stored.predictions, len(stored.categories)) == (200, answer.predictions, len(answer.labels))
    assert call("get_prediction", answer.id, if_none_match=f'W/"{answer.id}"') == (304, None)


def test_a_job_in_place_of_an_answer(call: Call) -> None:
    body = model("PredictRequest")(abstract=ABSTRACT)
    status, job = call("predict", body=body, prefer="respond-async", idempotency_key="one")
    assert (status, job.total) == (202, 1)


def test_several_abstracts(call: Call) -> None:
    entry = model("EntryRequest")(abstract=ABSTRACT, id="mine")
    status, answer = call("predict_batch", body=model("BatchRequest")(abstracts=[entry, "too short"]))
    assert (status, answer.problems) == (200, 1)
    first, second = answer.results
    assert (type(first), first.input_id) == (model("PredictionResponse"), "mine")
    assert (type(second), second.problem.errors.additional_keys) == (model("ItemProblem"), ["abstract"])


def test_a_paper(call: Call, tmp_path: Path) -> None:
    write_paper(tmp_path / "paper.pdf")
    body = model("PredictPdfBody")(file=file(tmp_path / "paper.pdf", "application/pdf"), top_k=1)
    status, answer = call("predict_pdf", body=body)
    assert (status, answer.extraction.method, len(answer.categories)) == (200, "heading", 1)
    assert answer.abstract


def test_jobs_of_a_list_and_of_files(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "abstracts.csv"
    table.write_text(f'id,abstract\n7,"{ABSTRACT}"\n')
    upload = model("CreateJobFilesBody")(file=[file(table, "text/csv")])
    whole = file(table, "text/csv")
    for body in (model("JobRequest")(abstracts=[ABSTRACT, "too short"]), upload, whole):
        status, job = call("create_job", body=body)
        assert (status, job.started_at is None or bool(job.started_at)) == (202, True)
        until(lambda id=job.id: call("get_job", id)[1].state == "done")  # type: ignore[misc]
        status, results = call("get_job_results", job.id)
        assert (status, len(results.splitlines())) == (200, job.total)
        assert model("PredictionResponse").from_dict(json.loads(results.splitlines()[0])).labels
        status, rest = call("get_job_results", job.id, from_=job.total - 1)
        assert (status, rest) == (200, results.splitlines(keepends=True)[-1])
        assert call("cancel_job", job.id)[1].state == "done"
    listed = call("list_jobs", limit=1)[1]
    assert ([one.id for one in listed.jobs], bool(listed.next_)) == ([job.id], True)


def test_models_key_and_probes(call: Call) -> None:
    status, models = call("list_models")
    assert status == 200
    assert call("get_model", models.default)[1].state == "ready"
    key = call("get_key")[1]
    assert ([limit.policy for limit in key.limits], len(key.usage)) == (["key", "inference"], 7)
    assert call("get_liveness")[1].state == "live"
    ready = call("get_readiness")[1]
    assert (ready.state, ready.store, ready.models[models.default]) == ("ready", "up", "ready")
    assert "abstracts_requests_total" in call("get_metrics")[1]


def test_pages(call: Call) -> None:
    assert "<!doctype html>" in call("get_page")[1].lower()
    assert "<!doctype html>" in call("get_docs")[1].lower()
    for operation, argument in (
        ("get_page_file", "style.css"),
        ("get_docs_file", "swagger-ui.css"),
        ("get_problem_type", "key-missing"),
    ):
        status, text = call(operation, argument)
        assert (status, isinstance(text, str)) == (200, True), operation
    assert call("get_openapi")[1].additional_properties["openapi"] == "3.1.0"


def test_errors_are_problems(call: Call) -> None:
    status, problem = call("predict", body=model("PredictRequest")(abstract="too short"))
    assert (status, type(problem), problem.errors.additional_keys) == (400, model("Problem"), ["abstract"])
    status, problem = call("get_job", "none")
    assert (status, problem.status) == (404, 404)
