"""The shapes of responses and of what stands in queries, for checking and for the OpenAPI document."""

from typing import Any, Final, get_args

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from model.registry import State
from service.predicting.requests import COUNT, SHARE, also_field

RESULT: Final[dict[str, Any]] = {
    "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("PredictionResponse", "ItemProblem")],
    "description": "What became of one abstract of several.",
}
"""An element of a batch's `results`, a line of a job's results."""

_MODEL_STATES: Final = get_args(State)


class ResponseSchema(Schema):
    """What is answered: more members may come at any time, so nothing is said to be all."""

    class Meta:
        unknown = EXCLUDE


class PredictionQuery(Schema):
    """How a stored prediction is turned into categories."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "There is no such parameter. Send threshold or top_k, or nothing."}  # noqa: RUF012

    threshold = fields.Float(allow_nan=False, validate=SHARE)
    top_k = fields.Integer(validate=COUNT)


class JobQuery(PredictionQuery):
    """What a job of an uploaded file is to be; for one in JSON the body says it."""

    error_messages = {  # noqa: RUF012  (marshmallow's own class attribute)
        "unknown": "There is no such parameter. "
        "Send model, also, threshold, top_k, text_column or id_column, or nothing."
    }

    model = fields.String()
    also = also_field()
    text_column = fields.String(metadata={"description": "The column or field with the abstract, if not a usual one."})
    id_column = fields.String(metadata={"description": "The one with your own id, which comes back as `input_id`."})


class JobsQuery(Schema):
    """Which of one's jobs to list."""

    error_messages = {"unknown": "There is no such parameter. Send limit or after, or nothing."}  # noqa: RUF012

    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(1, 100, error="Send a whole number from 1 to 100."),
        metadata={"description": "The most jobs to list."},
    )
    after = fields.String(metadata={"description": "The id of a job: those that came before it."})


class ResultsQuery(Schema):
    """Where to begin."""

    error_messages = {"unknown": "There is no such parameter. Send from, or nothing."}  # noqa: RUF012

    first = fields.Integer(
        data_key="from",
        load_default=0,
        validate=validate.Range(0, error="Send a whole number of at least 0."),
        metadata={"description": "Leave out so many lines: those that you have."},
    )


class Category(ResponseSchema):
    """A label and its score."""

    label = fields.String(required=True)
    score = fields.Float(required=True)


class TextWarning(ResponseSchema):
    """Why the scores mean little."""

    code = fields.String(required=True)
    detail = fields.String(required=True)


class PredictionResponse(ResponseSchema):
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
    truncated = fields.Boolean(metadata={"description": "true, where the model read only the beginning of the text."})
    tokens = fields.Integer(metadata={"description": "Tokens of such a text."})
    tokens_read = fields.Integer(metadata={"description": "Those of them that the model read."})
    warnings = fields.List(
        fields.Nested(TextWarning),
        metadata={"description": "What tells that the scores mean little: they hold for English abstracts of papers."},
    )
    input_id = fields.String(metadata={"description": "The id that the abstract came with."})
    also = fields.List(
        fields.Raw(metadata=RESULT),
        metadata={"description": "Of each further model that was asked, in order: its prediction, or its `problem`."},
    )


class Extraction(ResponseSchema):
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


class BatchResponse(ResponseSchema):
    """Answers in the order of their abstracts, and how many of them there are of each sort."""

    results = fields.List(
        fields.Raw(metadata=RESULT),
        required=True,
        metadata={"description": "Each a prediction, or an object whose `problem` says what was wrong."},
    )
    hits = fields.Integer(required=True, metadata={"description": "Stored before."})
    misses = fields.Integer(required=True, metadata={"description": "Worked out by the model for this request."})
    collapsed = fields.Integer(required=True, metadata={"description": "Worked out for another, or twice in here."})
    problems = fields.Integer(required=True)


class JobResponse(ResponseSchema):
    """A job: how far it is, and where its results are."""

    id = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["queued", "running", "done", "cancelled"]))
    model = fields.String(required=True)
    also = fields.List(fields.String(), metadata={"description": "The further models that are asked, if any."})
    total = fields.Integer(required=True, metadata={"description": "Abstracts in it."})
    done = fields.Integer(required=True, metadata={"description": "Abstracts that have a result by now."})
    hits = fields.Integer(required=True, metadata={"description": "Of these, stored before."})
    misses = fields.Integer(required=True, metadata={"description": "Of these, worked out by the model."})
    problems = fields.Integer(required=True, metadata={"description": "Of these, refused or failed."})
    ready = fields.Integer(
        required=True, metadata={"description": "Results that can be read: those before the first that is missing."}
    )
    progress = fields.Float(required=True, metadata={"description": "From 0 to 1."})
    seconds_left = fields.Float(required=True, allow_none=True, metadata={"description": "null: not known yet."})
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    started_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    finished_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    delayed_until = fields.String(
        required=True,
        allow_none=True,
        metadata={"format": "date-time", "description": "It waits: the quota of its key is used up."},
    )
    expires_at = fields.String(required=True, metadata={"format": "date-time"})
    results = fields.String(required=True, metadata={"description": "Address of the results, one a line."})
    request_id = fields.String(required=True, metadata={"description": "X-Request-ID of the request that made it."})


class JobsResponse(ResponseSchema):
    """Some of one's jobs, newest first."""

    jobs = fields.List(fields.Nested(JobResponse), required=True)
    next = fields.String(required=True, allow_none=True, metadata={"description": "Address of those before them."})


class LabelDescription(ResponseSchema):
    """What is said of a label."""

    name = fields.String(metadata={"description": "What it is called."})
    url = fields.String(metadata={"description": "Where it is described.", "format": "uri"})
    group = fields.String(metadata={"description": "The group that it belongs to: the archive of a category."})


class ModelResponse(ResponseSchema):
    """A model, ready or not."""

    name = fields.String(required=True)
    default = fields.Boolean(required=True)
    state = fields.String(required=True, validate=validate.OneOf(_MODEL_STATES))
    reason = fields.String(metadata={"description": "Why it is not ready."})
    remedy = fields.String(metadata={"description": "What makes it ready."})
    digest = fields.String()
    labels = fields.List(fields.String())
    about = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(LabelDescription),
        metadata={"description": "What labels, and groups of labels, are called; what is not known is absent."},
    )
    activation = fields.String(validate=validate.OneOf(["sigmoid", "softmax"]))
    threshold = fields.Float()
    reads = fields.List(
        fields.String(),
        metadata={"description": "The fields of a request that it reads; it ignores a title otherwise."},
    )
    max_tokens = fields.Integer()
    architecture = fields.Dict()
    checkpoint = fields.Dict()
    scores = fields.Dict()
    licence = fields.String()
    created = fields.String()


class ModelsResponse(ResponseSchema):
    """Every model known."""

    default = fields.String(required=True)
    models = fields.List(fields.Nested(ModelResponse), required=True)


class KeyLimit(ResponseSchema):
    """A limit of an API key, and what is left of it in the present window."""

    policy = fields.String(
        required=True,
        metadata={"description": "As in the header RateLimit: `key` counts requests, `inference` model runs."},
    )
    quota = fields.Integer(required=True)
    seconds = fields.Integer(required=True, metadata={"description": "For which the quota is."})
    remaining = fields.Integer(required=True)
    resets_in = fields.Integer(required=True, metadata={"description": "Seconds until the quota is whole again."})


class KeyUsage(ResponseSchema):
    """What an API key was used for on a day (UTC)."""

    day = fields.String(required=True, metadata={"format": "date"})
    requests = fields.Integer(required=True, metadata={"description": "Answered over HTTP."})
    hits = fields.Integer(
        required=True, metadata={"description": "Abstracts answered without a run of the model, in jobs, too."}
    )
    misses = fields.Integer(required=True, metadata={"description": "Abstracts for which the model ran."})
    model_seconds = fields.Float(required=True, metadata={"description": "For how long it ran."})
    pdfs = fields.Integer(required=True, metadata={"description": "Papers that were read."})


class KeyResponse(ResponseSchema):
    """An API key, as its holder sees it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(validate=validate.OneOf(["predict", "read"])), required=True)
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    expires_at = fields.String(
        required=True, allow_none=True, metadata={"format": "date-time", "description": "null: never."}
    )
    limits = fields.List(fields.Nested(KeyLimit), required=True)
    usage = fields.List(
        fields.Nested(KeyUsage),
        required=True,
        metadata={"description": "The last 7 days, today last; a minute may pass until a request is in it."},
    )


class LivenessResponse(ResponseSchema):
    """The process answers."""

    state = fields.String(required=True, validate=validate.OneOf(["live"]))


class ReadinessResponse(ResponseSchema):
    """What can be answered."""

    state = fields.String(
        required=True,
        validate=validate.OneOf(["ready", "degraded"]),
        metadata={"description": "degraded: without the store, or without the default model."},
    )
    store = fields.String(
        required=True,
        validate=validate.OneOf(["up", "impaired", "down"]),
        metadata={"description": "impaired: writes, or a part of it, are out."},
    )
    models = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf([*_MODEL_STATES, "unreachable"])),
        required=True,
        metadata={"description": "The state of each; unreachable: only its server is missing."},
    )


class ProblemSchema(ResponseSchema):
    """A problem (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    remedy = fields.String()
    instance = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    warnings = fields.List(fields.Nested(TextWarning))


class PlacedProblem(ProblemSchema):
    """A problem with one abstract of several."""

    place = fields.String(metadata={"description": "Where a file has it: `line 7`, `row 3`."})
    line = fields.Integer(metadata={"description": "The number of that line, counted from 1."})


class ItemProblem(ResponseSchema):
    """Stands where the prediction of an abstract would, if there can be none."""

    problem = fields.Nested(PlacedProblem, required=True)
    input_id = fields.String(metadata={"description": "The id that the abstract came with."})
