"""The results of a job, as they are ready: whole, or from where an earlier download ended."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import chain
from typing import Any, Final

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from service.api.blueprint import Blueprint
from service.api.examples import PREDICTION
from service.api.openapi import TIMED, header_references
from service.api.routes.jobs import LINES, known
from service.api.schemas import ResultsQuery
from storage.records.jobs import Jobs

_RANGE: Final = {
    "in": "header",
    "name": "Range",
    "schema": {"type": "string"},
    "description": "`bytes=N-` goes on where a download ended: what is ready does not change.",
}
_CONTENT: Final = {
    LINES[0]: {
        "schema": {
            "type": "string",
            "description": "Each line is a prediction, or an object with a `problem`.",
            "contentMediaType": LINES[0],
            "contentSchema": {"$ref": "#/components/schemas/Result"},
        },
        "example": json.dumps(PREDICTION) + "\n",
    }
}
_HEADERS: Final = header_references((*TIMED, "Cache-Control"))
_DOCUMENT: Final[Mapping[str, Any]] = {
    "responses": {
        "200": {
            "description": "The results that are ready. Content-Length is always said: what is shorter was cut off.",
            "headers": _HEADERS,
            "content": _CONTENT,
        },
        "206": {"description": "The range that was asked for.", "headers": _HEADERS, "content": _CONTENT},
        "416": {"description": "No more is ready.", "headers": _HEADERS},
    }
}


def blueprint(jobs: Jobs) -> Blueprint:
    """The route of results."""
    routes = Blueprint("results", __name__, description="Read what became of a job's abstracts.")

    @routes.endpoint(
        "/api/jobs/<id>/results",
        "predict",
        query=ResultsQuery,
        problems=("no-such-job", "invalid-request"),
        parameters=(_RANGE,),
        document=_DOCUMENT,
    )
    def get_job_results(arguments: Mapping[str, Any], id: str) -> Response:
        """The results of a job that are ready.

        One JSON object a line, in the order of the abstracts: all before the first that is missing. What is ready does
        not change, so that a download can go on where it ended, by `from` or a range.
        """
        job = known(jobs, id)
        size = jobs.progress(job).size
        base = jobs.offset(job, arguments["first"])
        asked = _asked_range(size - base)
        start, end = (base, size) if asked is None else (base + asked[0], base + asked[1])
        response = Response(_begun(jobs.results(job, start, end)), mimetype=LINES[0])
        response.headers.update({"Cache-Control": "no-store", "Accept-Ranges": "bytes"})
        response.content_length = end - start
        if asked is not None:
            response.status_code = HTTPStatus.PARTIAL_CONTENT
            response.headers["Content-Range"] = f"bytes {asked[0]}-{asked[1] - 1}/{size - base}"
        return response

    return routes


def _asked_range(length: int) -> tuple[int, int] | None:
    """The bytes from, and up to, which are asked for; None for all. Raises werkzeug's 416."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or "If-Range" in request.headers:
        return None
    found: tuple[int, int] | None = asked.range_for_length(length)
    if found is None:
        raise RequestedRangeNotSatisfiable(length)
    return found


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces. An error in the first is raised here, while it can still be told; a later one breaks off."""
    return chain([next(pieces, b"")], pieces)
