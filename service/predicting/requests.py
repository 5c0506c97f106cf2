"""What may be asked of a prediction: the schemas that the API, jobs and commands check requests with."""
# ruff: noqa: ARG002  (marshmallow passes every _deserialize the same arguments)

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from service.errors import InvalidRequest
from service.input.json_text import parse_json
from service.predicting.abstracts import MAX_CHARACTERS, MIN_CHARACTERS, Abstract, read_abstract
from service.predicting.rendering import RenderOptions

SHARE = validate.Range(0, 1, error="Send a number from 0 to 1.")
MAX_TITLE = 2000
MAX_ID = 256
"""Characters of a title, and of an id."""
MAX_ALSO: Final = 4
"""Further models that may be asked at once."""
COUNT = validate.Range(1, error="Send a whole number of at least 1.")


class AbstractField(fields.Field[Abstract]):
    """The JSON string that read_abstract takes."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Abstract:
        try:
            return read_abstract(value)
        except InvalidRequest as error:
            raise ValidationError(error.errors["abstract"]) from error


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


def also_field() -> fields.List[str]:
    """Names of further models."""
    return fields.List(
        fields.String(error_messages={"invalid": "Not a string.", "null": "It is null. Send a model's name."}),
        validate=validate.Length(max=MAX_ALSO, error=f"Send at most {MAX_ALSO} models."),
        error_messages={
            "null": "It is null. Send a list of models' names, or leave it out.",
            "invalid": "Not a list. Send a list of models' names.",
        },
        metadata={"description": "Further models to ask; their answers come as `also`, in this order."},
    )


class RenderRequest(Schema):
    """How scores are turned into categories, and which models are asked besides."""

    threshold = Number(
        validate=SHARE,
        error_messages={"null": "It is null. Send a number, or leave it out."},
        metadata={"description": "Lowest score of a category; by default the model's own operating point."},
    )
    top_k = WholeNumber(
        validate=COUNT,
        error_messages={"null": "It is null. Send a number, or leave it out."},
        metadata={"description": "The most categories to return."},
    )
    also = also_field()


class PredictRequest(RenderRequest):
    """One abstract. Unknown fields are refused."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012  (marshmallow's own class attribute)
        "type": 'Send a JSON object like {"abstract": "..."}.',
        "unknown": "There is no such field. Send abstract, and if you like title, threshold, top_k and also.",
    }

    abstract = AbstractField(
        required=True,
        error_messages={"required": "It is missing. Send the abstract's text.", "null": "It is null. Send a string."},
        metadata={"type": "string", "minLength": MIN_CHARACTERS, "maxLength": MAX_CHARACTERS},
    )

    title = fields.String(
        allow_none=True,
        validate=validate.Length(max=MAX_TITLE, error=f"Send at most {MAX_TITLE} characters."),
        error_messages={"invalid": "Not a string. Send the paper's title, or leave it out."},
        metadata={"description": "The paper's title, for models that read it: see `reads` of GET /api/models/{model}."},
    )


class Id(fields.String):
    """A string, or an integer that is made one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        number = isinstance(value, int) and not isinstance(value, bool)
        text = super()._deserialize(str(value) if number else value, attr, data, **kwargs)
        if not 0 < len(text) <= MAX_ID or not text.isprintable():
            raise ValidationError(f"Send 1 to {MAX_ID} printable characters.")
        return text


class EntryRequest(PredictRequest):
    """One abstract of several."""

    id = Id(
        allow_none=True,
        error_messages={"invalid": "Not a string. Send an id, or leave it out."},
        metadata={
            "type": ["string", "integer"],
            "minLength": 1,
            "maxLength": MAX_ID,
            "description": "Your own id of it, which comes back as `input_id`.",
        },
    )


class Asked(NamedTuple):
    """What a request for one abstract asks for. also: names of further models."""

    abstract: Abstract
    options: RenderOptions
    also: tuple[str, ...] = ()


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    """A PredictRequest in which nothing is wrong, and no further model is named."""

    abstract: str
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] | msgspec.UnsetType = msgspec.UNSET
    top_k: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Plain).decode
_schema = PredictRequest()


def plain_request(body: bytes) -> Asked | None:
    """What a JSON body asks for, without going through the schema; None if anything is wrong with it."""
    try:
        asked = _decode(body)
        abstract = read_abstract(asked.abstract)
    except (msgspec.DecodeError, InvalidRequest):
        return None
    threshold = None if asked.threshold is msgspec.UNSET else asked.threshold
    return Asked(abstract, RenderOptions(threshold, None if asked.top_k is msgspec.UNSET else asked.top_k))


def predict_request(body: bytes) -> Asked:
    """The same, or what the schema says is wrong. Raises InvalidRequest, or ServiceError `malformed-body`."""
    plain = plain_request(body)
    if plain is not None:
        return plain
    loaded = load(_schema, parse_json(body))
    return Asked(loaded["abstract"], render_options(loaded), tuple(loaded.get("also", ())))


class ManyRequest(RenderRequest):
    """Several abstracts. What is wrong with one of them is for its place in the answer to say."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012  (marshmallow's own class attribute)
        "type": 'Send a JSON object like {"abstracts": ["..."]}.',
        "unknown": "There is no such field. Send abstracts, and if you like model, threshold, top_k and also.",
    }

    model = fields.String(
        error_messages={"null": "It is null. Send a model's name, or leave it out.", "invalid": "Not a string."},
        metadata={"description": "The model to ask; by default the one of /api/predict/."},
    )


def many_request(name: str, maximum: int) -> type[Schema]:
    """The schema, called `name`, of a request with 1 to `maximum` abstracts."""
    abstracts = fields.List(
        fields.Raw(
            allow_none=True,
            metadata={
                "oneOf": [
                    {"type": "string", "minLength": MIN_CHARACTERS, "maxLength": MAX_CHARACTERS},
                    {"$ref": "#/components/schemas/EntryRequest"},
                ],
                "description": "An abstract, or an object like that of a single request; its `id` comes back as "
                "`input_id`.",
            },
        ),
        required=True,
        validate=validate.Length(1, maximum, error=f"Send 1 to {maximum} abstracts."),
        error_messages={
            "required": "It is missing. Send a list of abstracts.",
            "null": "It is null. Send a list of abstracts.",
            "invalid": "Not a list. Send a list of abstracts.",
        },
    )
    return type(name, (ManyRequest,), {"abstracts": abstracts, "__doc__": ManyRequest.__doc__})


def load(schema: Schema, data: Any) -> dict[str, Any]:
    """The data that `schema` makes of a JSON value. Raises InvalidRequest."""
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        raise invalid(error) from error
    return loaded


def render_options(arguments: Mapping[str, Any]) -> RenderOptions:
    """Those of loaded arguments."""
    return RenderOptions(arguments.get("threshold"), arguments.get("top_k"))


def invalid(error: ValidationError, location: str | None = None) -> InvalidRequest:
    """What marshmallow found, below `location` where webargs puts the messages under one."""
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return InvalidRequest(_flat(messages if location is None else messages.get(location, messages)))


def _flat(messages: Mapping[Any, Any], prefix: str = "") -> dict[str, list[str]]:
    """Messages of nested fields under names like `abstracts.3`."""
    flat: dict[str, list[str]] = {}
    for field, inner in messages.items():
        if isinstance(inner, Mapping):
            flat.update(_flat(inner, f"{prefix}{field}."))
        else:
            flat[f"{prefix}{field}"] = [str(message) for message in inner]
    return flat
