"""Jobs: many abstracts, worked off in the background."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil
from typing import IO, Any, BinaryIO, Final, cast

from flask import Response, jsonify, request

from service.access.gate import current_call
from service.access.prefix import root
from service.api.blueprint import BODY_PROBLEMS, Blueprint, read_body
from service.api.examples import ABSTRACT, JOB
from service.api.openapi import TIMED
from service.api.schemas import JobQuery, JobResponse, JobsQuery, JobsResponse
from service.errors import InvalidRequest, ServiceError, Slug
from service.input.errors import InputError
from service.input.json_text import malformed, parse_json
from service.jobs.intake import Intake, listed, several, uploaded
from service.predicting.requests import load, many_request
from storage.records.chunks import Item
from storage.records.job import Job
from storage.records.jobs import Jobs
from storage.records.progress import Progress

LINES: Final = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
FILES: Final = (
    *LINES,
    *("text/csv", "text/tab-separated-values", "application/octet-stream", "application/gzip", "application/x-gzip"),
    *(
        "application/x-xz",
        "application/x-bzip2",
        "application/zip",
        "application/xml",
        "text/xml",
        "application/atom+xml",
    ),
    *("application/x-bibtex", "application/x-research-info-systems", "application/pdf"),
)
"""Media types of bodies that are files. What is in one says its first bytes."""
FILE: Final[tuple[Slug, ...]] = ("file-not-supported", "file-not-usable")
TOO_MANY: Final[tuple[Slug, ...]] = ("length-required", "too-many-jobs", "too-many-open-jobs")
JOB_HEADERS: Final = (*TIMED, "Retry-After", "Cache-Control")
IDEMPOTENCY_KEY: Final = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key with the same content gives the same job, also when it is sent again.",
}
RETRY_AFTER: Final = 2
"""Seconds after which to ask again where the pace is not known yet; also the least."""
RETRY_AFTER_MAX: Final = 60


def blueprint(jobs: Jobs, intake: Intake, *, maximum: int, max_body: int) -> Blueprint:
    """The routes of jobs of up to `maximum` abstracts in at most `max_body` bytes."""
    routes = Blueprint("jobs", __name__, description="Classify many abstracts in the background.")
    schema = many_request("JobRequest", maximum)()

    @routes.endpoint(
        "/api/jobs",
        "predict",
        query=JobQuery,
        returns=JobResponse,
        problems=(*BODY_PROBLEMS, "model-not-ready", "unknown-model", "idempotency-key-reused", *TOO_MANY, *FILE),
        method="POST",
        status=HTTPStatus.ACCEPTED,
        max_body=max_body,
        headers=(*JOB_HEADERS, "Location"),
        example=JOB,
        parameters=(IDEMPOTENCY_KEY,),
        document=_submission(schema),
    )
    def create_job(arguments: Mapping[str, Any]) -> Response:
        """Take in a job.

        Abstracts come in JSON, or in a file of any form that is read: JSON lines, CSV, RIS, BibTeX, XML, packed or not;
        papers as PDFs in a zip, or as several parts of a form.
        The query says what is to be done with a file; a JSON body has members for it. Ask for the job at `Location`
        until it is over, each time after `Retry-After`.
        """
        _refuse_unknown_length()
        items, options = _asked(schema, arguments)
        name, id = request.headers.get("Idempotency-Key"), current_call().request.id
        return accepted(*intake.submit(_owner(), items, options, name, id))

    _add_listing(routes, jobs)
    _add_one(routes, jobs)
    return routes


def _add_one(routes: Blueprint, jobs: Jobs) -> None:
    one: dict[str, Any] = {"returns": JobResponse, "problems": ("no-such-job",), "headers": JOB_HEADERS, "example": JOB}

    @routes.endpoint("/api/jobs/<id>", "predict", **one)
    def get_job(id: str) -> Response:
        """How far a job is.

        Results can be read as far as `ready`. `Retry-After` is sent as long as the job is not over.
        """
        job = known(jobs, id)
        return job_response(job, jobs.progress(job))

    @routes.endpoint("/api/jobs/<id>", "predict", method="DELETE", **one)
    def cancel_job(id: str) -> Response:
        """Cancel a job.

        What it has done by now can still be read; one that is over stays as it is.
        """
        job = known(jobs, id)
        ended = jobs.cancel(id, job.owner) or job
        return job_response(ended, jobs.progress(ended))


def _add_listing(routes: Blueprint, jobs: Jobs) -> None:
    @routes.endpoint(
        "/api/jobs",
        "predict",
        query=JobsQuery,
        returns=JobsResponse,
        problems=("invalid-request",),
        headers=(*TIMED, "Cache-Control"),
    )
    def list_jobs(arguments: Mapping[str, Any]) -> Response:
        """Your jobs, newest first.

        Some at a time: `next` is the address of those that came before them.
        """
        limit = arguments["limit"]
        found = jobs.of(_owner(), arguments.get("after"), limit + 1)
        described = [describe(job, jobs.progress(job)) for job in found[:limit]]
        following = f"{root()}/api/jobs?limit={limit}&after={found[limit - 1].id}" if len(found) > limit else None
        return _uncached(jsonify({"jobs": described, "next": following}))


def accepted(job: Job, progress: Progress) -> Response:
    """202 for a job that has been taken in."""
    current_call().model = job.model
    response = job_response(job, progress)
    response.status_code = HTTPStatus.ACCEPTED
    response.headers["Location"] = f"{root()}/api/jobs/{job.id}"
    return response


def job_response(job: Job, progress: Progress) -> Response:
    """A job as JobResponse has it, with Retry-After while it is not over."""
    response = jsonify(describe(job, progress))
    response.headers["Cache-Control"] = "no-store"
    if progress.delayed_until is not None:
        wait = (progress.delayed_until - datetime.now(UTC)).total_seconds()
    else:
        wait = RETRY_AFTER if progress.seconds_left is None else progress.seconds_left
    if state_of(job, progress) in ("queued", "running"):
        response.headers["Retry-After"] = str(min(max(ceil(wait), RETRY_AFTER), RETRY_AFTER_MAX))
    return response


def describe(job: Job, progress: Progress) -> dict[str, Any]:
    """The members of JobResponse."""
    plain = {name: getattr(job, name) for name in ("id", "model", "total")}
    moments = {
        "created_at": job.created_at,
        "started_at": progress.started_at,
        "finished_at": progress.finished_at,
        "delayed_until": progress.delayed_until,
        "expires_at": job.expires_at,
    }
    return {
        **plain,
        **({"also": list(job.also)} if job.also else {}),
        "state": state_of(job, progress),
        "done": progress.done,
        **progress.counts._asdict(),
        "ready": progress.ready,
        "progress": round(progress.done / job.total, 4),
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left, 1),
        **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
        "results": f"{root()}/api/jobs/{job.id}/results",
        "request_id": job.request,
    }


def state_of(job: Job, progress: Progress) -> str:
    """The state as JobResponse has it."""
    if job.over or progress.done == job.total:
        return "done" if progress.done == job.total else job.state
    return "running" if progress.started_at is not None and progress.delayed_until is None else "queued"


def _refuse_unknown_length() -> None:
    """Our own server tells it, however a body was sent. Others take a chunked one that was cut off for a whole one."""
    if request.content_length is None and "HTTP_TRANSFER_ENCODING" in request.environ:
        raise ServiceError("length-required", "Send Content-Length, so that an upload that was cut off is found out.")


def _asked(schema: Any, query: Mapping[str, Any]) -> tuple[Iterator[Item], Mapping[str, Any]]:
    """The items that the request holds, and its model, threshold and top_k."""
    columns = {name: query[name] for name in ("text_column", "id_column") if name in query}
    if request.mimetype in FILES:
        return _streamed("" if request.mimetype not in LINES else "body.jsonl", columns), query
    if request.mimetype == "multipart/form-data":
        files = [(cast(BinaryIO, file.stream), file.filename or "") for file in request.files.getlist("file")]
        if not files:
            raise InvalidRequest({"file": ["It is missing. Send a file with abstracts, or papers as PDFs."]})
        return uploaded(*files[0], columns) if len(files) == 1 else several(files, columns), query
    if request.mimetype not in ("", "application/json"):
        raise ServiceError(
            "wrong-content-type",
            f"Send application/json, {LINES[0]}, text/csv, "
            "application/octet-stream for other files, or multipart/form-data.",
        )
    body = load(schema, parse_json(read_body()))
    return listed(body["abstracts"]), {**query, **body}


def _streamed(name: str, columns: Mapping[str, str]) -> Iterator[Item]:
    """The items of a body that is read as it comes in. Raises ServiceError if it was cut off."""
    stream = request.stream
    try:
        yield from uploaded(cast(BinaryIO, stream), name, columns)
    except InputError as error:
        raise _cut_off(stream) or error from error
    cut_off = _cut_off(stream)
    if cut_off is not None:
        raise cut_off


def _cut_off(stream: IO[bytes]) -> ServiceError | None:
    if stream.tell() < (request.content_length or 0):
        return malformed("The body is shorter than its Content-Length. Send it whole.")
    return None


def _owner() -> str:
    key = current_call().key
    assert key is not None  # noqa: S101  (the gate lets nobody in without one)
    return key.id


def known(jobs: Jobs, id: str) -> Job:
    """The job with this id if it is the caller's. Raises ServiceError `no-such-job`, Unavailable."""
    job = jobs.get(id, _owner())
    if job is None:
        raise ServiceError("no-such-job", "There is no job with this id, or it belongs to another API key.")
    return job


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


_ITEM_LINES: Final = {
    "schema": {
        "type": "string",
        "description": "JSON objects, one a line.",
        "contentMediaType": LINES[0],
        "contentSchema": {"$ref": "#/components/schemas/EntryRequest"},
    },
}
_ANY_FILE: Final = {"schema": {"type": "string", "format": "binary", "description": "A file of any form that is read."}}


def _submission(schema: Any) -> Mapping[str, Any]:
    """The forms in which a job may come: flask-smorest documents one."""
    binary = {"type": "string", "format": "binary"}
    described = "A file of any form that is read, a PDF, or a zip of them; several parts of this name are one job."
    file = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": binary, "minItems": 1, "description": described}},
    }
    content = {
        "application/json": {"schema": schema, "example": {"abstracts": [ABSTRACT]}},
        LINES[0]: _ITEM_LINES,
        "text/csv": {"schema": {"type": "string", "description": "A table with a column `abstract`."}},
        "application/octet-stream": _ANY_FILE,
        "multipart/form-data": {"schema": file},
    }
    return {"requestBody": {"required": True, "content": content}}
