"""JSON documents and their read-modify-write."""

from datetime import UTC, datetime

import pytest

from storage.backends.memory import MemoryBackend
from storage.base import Entry
from storage.errors import Conflict, Corrupt
from storage.records.documents import ATTEMPTS, Document, decode, encode, to_moment, to_moment_or_none, to_text, update


@pytest.mark.parametrize("value", [b"", b"{", b"[1]", b'"x"', b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_an_object_is_corrupt(value: bytes) -> None:
    with pytest.raises(Corrupt):
        decode(Entry(value, 1))


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError):
        encode({"x": float("nan")})


def test_moments_survive_exactly() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert to_moment(to_text(moment)) == moment
    assert to_moment_or_none(to_text(None)) is None


def test_update_creates_and_changes() -> None:
    backend = MemoryBackend()
    for expected in (1, 2, 3):
        document = update(backend, "jobs", "k", lambda present: {"n": (present or {"n": 0})["n"] + 1})
        assert document == {"n": expected}


def test_update_gives_up_when_the_document_never_stands_still() -> None:
    backend = MemoryBackend()
    calls = 0

    def meddled(present: Document | None) -> Document:
        nonlocal calls
        calls += 1
        backend.put("jobs", "k", encode({"meddled": calls}))
        return {"mine": True}

    with pytest.raises(Conflict, match="k changed"):
        update(backend, "jobs", "k", meddled)
    assert calls == ATTEMPTS
    entry = backend.get("jobs", "k")
    assert entry is not None
    assert decode(entry) == {"meddled": ATTEMPTS}
