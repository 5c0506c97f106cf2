"""POST a paper as a PDF, get a prediction for the abstract printed in it."""

import time
from typing import Any, Final

from flask import Response, request
from marshmallow import RAISE, Schema, fields, validate

from model.errors import EngineError, ModelUnavailable, Overloaded
from service.access.gate import current_call
from service.access.ratelimits import RateLimits
from service.api.blueprint import Blueprint, load
from service.api.responses import directives, prediction_response
from service.api.schemas import PredictionQuery, PredictionResponse, PredictRequest
from service.errors import InvalidRequest, NotStored, WrongContentType
from service.pdf.errors import (
    NotAPdf,
    PdfBusy,
    PdfDamaged,
    PdfEncrypted,
    PdfTooDemanding,
    PdfTooLarge,
    PdfWithoutAbstract,
    PdfWithoutText,
)
from service.pdf.extract import MAX_BYTES, Extractor
from service.pdf.find import Found
from service.predicting.classification import Classification
from service.predicting.models import Models
from service.telemetry.metrics import Metrics

MAX_BODY: Final = MAX_BYTES + (64 << 10)
"""The file, and what multipart puts around it."""
PROBLEMS: Final = (
    *(InvalidRequest, WrongContentType, NotStored, Overloaded, ModelUnavailable, EngineError),
    *(NotAPdf, PdfBusy, PdfDamaged, PdfEncrypted, PdfTooDemanding, PdfTooLarge, PdfWithoutAbstract, PdfWithoutText),
)
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "The PDF, at most 20 MiB."},
                        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
                        "top_k": {"type": "integer", "minimum": 1},
                    },
                },
                "encoding": {"file": {"contentType": "application/pdf, application/octet-stream"}},
            }
        },
    }
}


class PdfForm(PredictionQuery):
    """The parts of the form."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012  (marshmallow's own class attribute)
        "unknown": "There is no such part. Send file, and if you like threshold and top_k."
    }

    file = fields.Raw(required=True, error_messages={"required": "It is missing. Send the PDF as a file in this part."})


class Extraction(Schema):
    """How an abstract was found."""

    method = fields.String(
        required=True,
        validate=validate.OneOf(["heading", "run-in", "layout"]),
        metadata={"description": "By a heading of its own, a word at its beginning, or by place and form alone."},
    )
    confidence = fields.Float(required=True, validate=validate.Range(0, 1))
    page = fields.Integer(required=True, metadata={"description": "Counted from 1."})


class PdfPredictionResponse(PredictionResponse):
    """A prediction for an extracted abstract."""

    abstract = fields.String(required=True, metadata={"description": "The text that was classified."})
    extraction = fields.Nested(Extraction, required=True)


def read_abstract(pdfs: Extractor, data: bytes) -> Found:
    """The abstract in a PDF, by the rules of a text that is sent. Raises a PdfError or PdfBusy."""
    found = pdfs.extract(data)
    try:
        load(PredictRequest(), {"abstract": found.text})
    except InvalidRequest as exc:
        reason = " ".join(exc.errors["abstract"])
        raise PdfWithoutAbstract(f"What looks like the abstract will not do: {reason}") from exc
    return found


def blueprint(
    pdfs: Extractor, models: Models, classification: Classification, limits: RateLimits, metrics: Metrics
) -> Blueprint:
    """The route of papers."""
    routes = Blueprint("pdf", __name__, description="Classify the abstract in a PDF.")

    @routes.endpoint(
        "/api/predict/pdf",
        "predict",
        returns=PdfPredictionResponse,
        method="POST",
        max_body=MAX_BODY,
        problems=PROBLEMS,
        document=_BODY,
    )
    def predict_pdf() -> Response:
        """Classify the abstract of a paper with the default model."""
        form, call, requested = _read_form(), current_call(), directives()

        def charge() -> None:
            if call.key is not None:
                limits.spend_inference(call.key, call.windows)

        started = time.perf_counter()
        found = read_abstract(pdfs, form["file"])
        call.timings["pdf"] = time.perf_counter() - started
        answer = classification.classify(models.get_default(), found.text, directives=requested, charge=charge)
        call.outcome = answer.outcome
        call.timings.update(answer.timings)
        metrics.answer(answer.outcome, answer.timings)
        return prediction_response(answer, form, requested, found.members())

    return routes


def _read_form() -> dict[str, Any]:
    """The loaded parts, `file` as bytes. Raises WrongContentType, InvalidRequest or werkzeug's 413."""
    if request.mimetype != "multipart/form-data":
        raise WrongContentType("Send the PDF as multipart/form-data, in a part named file.")
    parts: dict[str, Any] = {name: values[-1] for name, values in request.form.lists()}
    if "file" in parts:
        raise InvalidRequest({"file": ["Not a file. Give the part a filename."]})
    for name, files in request.files.lists():
        if len(files) > 1:
            raise InvalidRequest({name: ["There are several. Send one PDF a request."]})
        parts[name] = files[0].stream.read(MAX_BYTES + 1)
    return load(PdfForm(), parts)
