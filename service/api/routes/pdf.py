"""POST a paper as a PDF, get a prediction for the abstract printed in it."""

import time
from typing import Any, Final

from flask import Response, request
from marshmallow import RAISE, fields

from service.access.gate import PDF, current_call
from service.api.blueprint import Blueprint
from service.api.examples import ABSTRACT, PREDICTION
from service.api.openapi import PREDICTED
from service.api.responses import CACHE_CONTROL, STRICT, directives, prediction_response, strict
from service.api.schemas import PdfPredictionResponse, PredictionQuery
from service.errors import InvalidRequest, ServiceError, Slug
from service.pdf.extract import MAX_BYTES, Extractor
from service.predicting.models import Models
from service.predicting.papers import read_paper
from service.predicting.predictor import Predictor
from service.predicting.requests import MAX_ALSO, also_field, load, render_options

MAX_BODY: Final = MAX_BYTES + (64 << 10)
"""The file, and what multipart puts around it."""
PROBLEMS: Final[tuple[Slug, ...]] = (
    *("invalid-request", "wrong-content-type", "not-stored", "overloaded", "model-not-ready", "engine-failed"),
    *("unknown-model", "not-a-pdf", "pdf-busy", "pdf-damaged", "pdf-encrypted", "pdf-too-demanding", "pdf-too-large"),
    *("pdf-without-abstract", "pdf-without-text", "doubtful-abstract"),
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
                        "model": {"type": "string", "description": "The model to ask; by default the default one."},
                        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
                        "top_k": {"type": "integer", "minimum": 1},
                        "also": {
                            "type": "array",
                            "maxItems": MAX_ALSO,
                            "items": {"type": "string"},
                            "description": "Further models to ask, a part for each.",
                        },
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
        "unknown": "There is no such part. Send file, and if you like model, threshold, top_k and also."
    }

    file = fields.Raw(required=True, error_messages={"required": "It is missing. Send the PDF as a file in this part."})
    model = fields.String()
    also = also_field()


def blueprint(pdfs: Extractor, models: Models, predictor: Predictor) -> Blueprint:
    """The route of papers."""
    routes = Blueprint("pdf", __name__, description="Classify the abstract in a PDF.")

    @routes.endpoint(
        "/api/predict/pdf",
        "predict",
        returns=PdfPredictionResponse,
        method="POST",
        max_body=MAX_BODY,
        problems=PROBLEMS,
        headers=PREDICTED,
        example={
            **PREDICTION,
            "abstract": ABSTRACT,
            "extraction": {"method": "heading", "confidence": 0.97, "page": 1},
        },
        parameters=(CACHE_CONTROL, STRICT),
        document=_BODY,
    )
    def predict_pdf() -> Response:
        """Classify the abstract of a paper.

        The abstract is found in the PDF and comes back with the prediction; `extraction` says how it was found.
        """
        call, requested = current_call(), directives()
        started = time.perf_counter()
        with pdfs.reader("" if call.key is None else call.key.id) as read:
            form = _read_form()  # only now: to take files apart that must wait would keep others from their answers
            model = models.get(form.get("model"))
            found, abstract = read_paper(read, form["file"])
        call.timings[PDF] = time.perf_counter() - started
        others = models.several(form.get("also", ()))
        answer = predictor.predict_one(model, abstract, requested, call.payer, strict=strict(), also=others)
        return prediction_response(answer, render_options(form), requested, found.members())

    return routes


def _read_form() -> dict[str, Any]:
    """The loaded parts, `file` as bytes. Raises ServiceError, or werkzeug's 413."""
    if request.mimetype != "multipart/form-data":
        raise ServiceError("wrong-content-type", "Send the PDF as multipart/form-data, in a part named file.")
    parts: dict[str, Any] = {name: values if name == "also" else values[-1] for name, values in request.form.lists()}
    if "file" in parts:
        raise InvalidRequest({"file": ["Not a file. Give the part a filename."]})
    for name, files in request.files.lists():
        if len(files) > 1:
            raise InvalidRequest({name: ["There are several. Send one PDF a request."]})
        parts[name] = files[0].stream.read(MAX_BYTES + 1)
    return load(PdfForm(), parts)
