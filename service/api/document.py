"""The OpenAPI document: what flask-smorest does not find out from the views."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import flask_smorest  # type: ignore[import-untyped]

from service.api.schemas import ProblemResponse
from service.problems import CONTENT_TYPE, KINDS

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's Api with problems for errors."""

    def _register_error_handlers(self) -> None:
        """Nothing: service/problems.py does that."""

    def _register_responses(self) -> None:
        """Describes each status of the table as a problem."""
        components = self.spec.components
        components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
        components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
        components.schema("Problem", schema=ProblemResponse)
        content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        components.response("DEFAULT_ERROR", {"description": "Any other problem", "content": content})
        for status in {kind.status for kind in KINDS.values()}:
            components.response(status.name, {"description": status.phrase, "content": content})


def references(errors: Iterable[type[Exception]]) -> dict[str, Any]:
    """The responses of an operation that may end in any of these errors, or in one that nobody foresaw."""
    statuses = {KINDS[error].status for error in errors} | {HTTPStatus.INTERNAL_SERVER_ERROR}
    return {str(status.value): {"$ref": f"#/components/responses/{status.name}"} for status in sorted(statuses)}
