"""Whatever the bytes: items, or an InputError; nothing else, in bounded time."""

import gzip
import io
import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.input.errors import InputError
from service.input.item import Item
from service.input.read import read
from tests.service.input.samples import A
from tests.service.input.test_forms import ENCODINGS, ONE_RECORD

WHOLE = [encode(text) for text in ONE_RECORD.values() for encode in ENCODINGS.values()]
NAMES = st.sampled_from(
    ["", "a.txt", "a.jsonl", "a.csv", "a.tsv", "a.bib", "a.ris", "a.xml", "a.json", "a.zip", "é\udc80"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["abstract", "id", "title", "items", "message", "data", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(content: bytes, name: str, text_column: str | None = None) -> list[Item]:
    try:
        found = list(read(io.BytesIO(content), name, text_column=text_column))
    except InputError as exc:
        str(exc).encode()
        return []
    for item in found:
        assert sum(part is not None for part in (item.abstract, item.problem, item.pdf)) == 1, item
        assert item.place
        (item.input_id or "").encode()
        (item.title or "").encode()
        (item.problem or "").encode()
        item.place.encode()
    return found


@given(st.binary(max_size=3000), NAMES, st.sampled_from([None, "abstract", "x"]))
@MANY
def test_any_bytes(content: bytes, name: str, column: str | None) -> None:
    check(content, name, column)


@given(st.text(max_size=2000), NAMES)
@MANY
def test_any_text(content: str, name: str) -> None:
    check(content.encode("utf-8", "surrogatepass"), name)


@given(st.data())
@MANY
def test_whole_files_with_pieces_cut_out_put_in_and_changed(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(WHOLE))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = min(len(content), at + data.draw(st.integers(0, 20)))
        content = (
            content[:at]
            + data.draw(st.binary(max_size=8) | st.sampled_from([b"\n", b'"', b"{", b"\\", b"<"]))
            + content[end:]
        )
    check(content, data.draw(NAMES))
    check(gzip.compress(content)[: data.draw(st.integers(1, 400))], "")


@given(st.lists(JSON, max_size=4), st.sampled_from([None, 1]))
@example([{"abstract": "\ud800"}], None)
@example([{"id": "\udc80", "abstract": A}], None)
@MANY
def test_any_json(values: list[object], indent: int | None) -> None:
    check("\n".join(json.dumps(value, indent=indent) for value in values).encode(), "a.jsonl")
    check(json.dumps(values, indent=indent).encode(), "")
