"""What is written for entries and counters."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.backends.couchbase.documents import (
    COUNTER_EPOCH,
    MAX_COUNT,
    Content,
    decode,
    document_key,
    encode_counter,
    encode_entry,
    server_expiry,
)
from storage.base import MAX_KEY_BYTES
from storage.errors import Corrupt

TIMES = st.one_of(st.none(), st.floats(min_value=COUNTER_EPOCH, max_value=COUNTER_EPOCH + 2**30))


@given(value=st.dictionaries(st.text(), st.text()), expires=TIMES)
def test_an_entry_is_json_with_the_value_spliced_in(value: dict[str, str], expires: float | None) -> None:
    raw = json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    document = encode_entry(raw, expires)
    assert decode(document) == Content(raw, 0, expires)


def test_an_entry_reads_as_one_json_object() -> None:
    document = encode_entry(b'{"a": 1}', 1790000000.125)
    assert json.loads(document) == {"expires_at": 1790000000.125, "value": {"a": 1}}
    assert json.loads(encode_entry(b"{}", None)) == {"expires_at": None, "value": {}}


@given(count=st.integers(0, MAX_COUNT), expires=TIMES)
def test_a_counter_carries_its_expiry_rounded_up(count: int, expires: float | None) -> None:
    number = encode_counter(count, expires)
    assert 0 <= number < 2**63
    content = decode(str(number).encode())
    assert (content.value, content.count) == (None, count)
    if expires is None or content.expires_at is None:
        assert content.expires_at is expires
    else:
        assert expires <= content.expires_at <= max(expires, COUNTER_EPOCH) + 1


def test_a_counter_without_expiry_is_the_plain_count() -> None:
    assert encode_counter(17, None) == 17


def test_adding_to_the_number_adds_to_the_count() -> None:
    number = encode_counter(5, COUNTER_EPOCH + 100) + 3
    assert decode(str(number).encode()) == Content(None, 8, float(COUNTER_EPOCH + 100))


def test_a_count_that_has_run_over_is_noticed() -> None:
    with pytest.raises(Corrupt):
        decode(str(encode_counter(MAX_COUNT, COUNTER_EPOCH + 100) + 1).encode())


@pytest.mark.parametrize(
    "document",
    [b"", b"null", b"{}", b'{"value":{}}', b'{"expires_at":null,"value":', b'{"expires_at":1.1.1,"value":{}}'],
)
def test_other_documents_are_corrupt(document: bytes) -> None:
    with pytest.raises(Corrupt):
        decode(document)


@pytest.mark.parametrize("key", ["a", "k" * MAX_KEY_BYTES, "é", "a$index/1/0"])
def test_a_key_is_its_documents_key(key: str) -> None:
    assert document_key(key) == key


def test_keys_like_our_own_documents_are_hashed() -> None:
    names = {document_key(key) for key in ("$index/1/0", "$probe", "$", "$" * MAX_KEY_BYTES)}
    assert len(names) == 4
    assert all(name.startswith("$") and len(name) == 65 for name in names)


@pytest.mark.parametrize(
    ("ttl", "expiry"),
    [
        (None, None),
        (timedelta(microseconds=1), timedelta(seconds=2)),
        (timedelta(seconds=60), timedelta(seconds=61)),
        (timedelta(seconds=60.5), timedelta(seconds=62)),
        (timedelta(days=36500 * 10), timedelta(days=365 * 50)),
    ],
)
def test_the_servers_expiry_is_whole_seconds_and_never_early(ttl: timedelta | None, expiry: timedelta | None) -> None:
    assert server_expiry(ttl) == expiry
