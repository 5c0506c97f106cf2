"""The shapes of requests and responses, for checking and for the OpenAPI document."""
# ruff: noqa: ARG002  (marshmallow passes every _deserialize the same arguments)

import math
import re
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

MIN_CHARACTERS = 50
MAX_CHARACTERS = 5000

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Abstract(fields.String):
    """A text of 50 to 5000 characters after trimming, without control characters or halves of characters."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a string. Send the abstract's text.")
        if found := _CONTROL.search(value):
            raise ValidationError(f"The control character U+{ord(found[0]):04X} is in it. Remove it.")
        if found := _SURROGATE.search(value):
            raise ValidationError(f"The lone surrogate U+{ord(found[0]):04X} is in it. Send valid Unicode.")
        text = value.strip()
        if not text:
            raise ValidationError("There is only white space in it. Send the abstract's text.")
        if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
            raise ValidationError(
                f"It has {len(text)} characters after trimming. Send {MIN_CHARACTERS} to {MAX_CHARACTERS}."
            )
        return text


class Number(fields.Float):
    """A finite JSON number: no boolean, no string."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("Not a number.")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise ValidationError("Not a finite number.")
        return number


class WholeNumber(fields.Integer):
    """A JSON integer: no boolean, no string, no fraction."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Not a whole number.")
        return value


_SHARE = validate.Range(0, 1, error="Send a number from 0 to 1.")
_COUNT = validate.Range(1, error="Send a whole number of at least 1.")


class Wishes(Schema):
    """How scores are turned into categories."""

    threshold = Number(
        validate=_SHARE,
        error_messages={"null": "It is null. Send a number, or leave it out."},
        metadata={"description": "Lowest score of a category; by default the model's own operating point."},
    )
    top_k = WholeNumber(
        validate=_COUNT,
        error_messages={"null": "It is null. Send a number, or leave it out."},
        metadata={"description": "The most categories to return."},
    )


class PredictRequest(Wishes):
    """One abstract. Unknown fields are refused."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012  (marshmallow's own class attribute)
        "type": 'Send a JSON object like {"abstract": "..."}.',
        "unknown": "There is no such field. Send abstract, and if you like threshold and top_k.",
    }

    abstract = Abstract(
        required=True,
        error_messages={"required": "It is missing. Send the abstract's text.", "null": "It is null. Send a string."},
        metadata={"minLength": MIN_CHARACTERS, "maxLength": MAX_CHARACTERS},
    )


class ManyRequest(Wishes):
    """Several abstracts. What is wrong with one of them is for its place in the answer to say."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012  (marshmallow's own class attribute)
        "type": 'Send a JSON object like {"abstracts": ["..."]}.',
        "unknown": "There is no such field. Send abstracts, and if you like model, threshold and top_k.",
    }

    model = fields.String(
        error_messages={"null": "It is null. Send a model's name, or leave it out.", "invalid": "Not a string."},
        metadata={"description": "The model to ask; by default the one of /api/predict/."},
    )


def many_request(name: str, most: int) -> type[Schema]:
    """The schema, called `name`, of a request with 1 to `most` abstracts."""
    abstracts = fields.List(
        fields.Raw(allow_none=True, metadata={"type": "string", "description": "By the rules of a single request."}),
        required=True,
        validate=validate.Length(1, most, error=f"Send 1 to {most} abstracts."),
        error_messages={
            "required": "It is missing. Send a list of abstracts.",
            "null": "It is null. Send a list of abstracts.",
            "invalid": "Not a list. Send a list of abstracts.",
        },
    )
    return type(name, (ManyRequest,), {"abstracts": abstracts, "__doc__": ManyRequest.__doc__})


class PredictionQuery(Schema):
    """How a stored prediction is turned into categories."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "There is no such parameter. Send threshold or top_k, or nothing."}  # noqa: RUF012

    threshold = fields.Float(allow_nan=False, validate=_SHARE)
    top_k = fields.Integer(validate=_COUNT)


class JobQuery(PredictionQuery):
    """What a job of an uploaded file is to be; for one in JSON the body says it."""

    error_messages = {"unknown": "There is no such parameter. Send model, threshold or top_k, or nothing."}  # noqa: RUF012

    model = fields.String()


class Category(Schema):
    """A label and its score."""

    label = fields.String(required=True)
    score = fields.Float(required=True)


class PredictionResponse(Schema):
    """A prediction."""

    id = fields.String(required=True, metadata={"description": "Under which the prediction is stored."})
    model = fields.String(required=True)
    model_digest = fields.String(required=True)
    labels = fields.List(fields.String(), required=True)
    predictions = fields.List(
        fields.List(fields.Float()), required=True, metadata={"description": "One row: a score for each label."}
    )
    categories = fields.List(
        fields.Nested(Category),
        required=True,
        metadata={"description": "At or above the threshold, best first, at most top_k."},
    )
    cached = fields.Boolean(required=True)


class BatchResponse(Schema):
    """Answers in the order of their abstracts, and how many of them there are of each sort."""

    results = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Each a prediction, or an object whose `problem` says what was wrong."},
    )
    hits = fields.Integer(required=True, metadata={"description": "Stored before."})
    misses = fields.Integer(required=True, metadata={"description": "Worked out by the model for this request."})
    collapsed = fields.Integer(required=True, metadata={"description": "Worked out for another, or twice in here."})
    problems = fields.Integer(required=True)


class JobResponse(Schema):
    """A job: how far it is, and where its results are."""

    id = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["queued", "running", "done", "cancelled"]))
    model = fields.String(required=True)
    total = fields.Integer(required=True, metadata={"description": "Abstracts in it."})
    done = fields.Integer(required=True, metadata={"description": "Abstracts that have a result by now."})
    hits = fields.Integer(required=True, metadata={"description": "Of these, stored before."})
    misses = fields.Integer(required=True, metadata={"description": "Of these, worked out by the model."})
    problems = fields.Integer(required=True, metadata={"description": "Of these, refused or failed."})
    progress = fields.Float(required=True, metadata={"description": "From 0 to 1."})
    seconds_left = fields.Float(required=True, allow_none=True, metadata={"description": "null: not known yet."})
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    started_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    finished_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    expires_at = fields.String(required=True, metadata={"format": "date-time"})
    results = fields.String(required=True, metadata={"description": "Address of the results, one a line."})


class ModelResponse(Schema):
    """A model, ready or not."""

    name = fields.String(required=True)
    default = fields.Boolean(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["ready", "not installed", "untrained", "damaged"]))
    reason = fields.String(metadata={"description": "Why it is not ready."})
    remedy = fields.String(metadata={"description": "What makes it ready."})
    digest = fields.String()
    labels = fields.List(fields.String())
    activation = fields.String(validate=validate.OneOf(["sigmoid", "softmax"]))
    threshold = fields.Float()
    max_tokens = fields.Integer()
    architecture = fields.Dict()
    checkpoint = fields.Dict()
    scores = fields.Dict()
    licence = fields.String()
    created = fields.String()


class ModelsResponse(Schema):
    """Every model known."""

    default = fields.String(required=True)
    models = fields.List(fields.Nested(ModelResponse), required=True)


class ProblemResponse(Schema):
    """A problem (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    remedy = fields.String()
    instance = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
