"""How API keys are written."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import Malformed
from storage.records.keyformat import ALPHABET, format_key, is_id, new_id, new_secret, parse_key


def test_round_trip() -> None:
    id, secret = new_id(), new_secret()
    assert parse_key(format_key(id, secret)) == (id, secret)


def test_form_is_fixed() -> None:
    body = "abs_000000000000_" + "A" * 30
    checksum = format_key("0" * 12, "A" * 30).removeprefix(body)
    assert checksum == "2JZg4i"
    assert sum(ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(checksum))) == crc32(
        body.encode()
    )


def test_keys_are_random() -> None:
    assert len({new_id() for _ in range(100)} | {new_secret() for _ in range(100)}) == 200
    assert len(new_secret()) * 5.95 > 160


@given(st.integers(4, 52), st.sampled_from(ALPHABET))
def test_any_single_wrong_character_is_noticed(position: int, character: str) -> None:
    key = format_key("0Az9" * 3, "secret" * 5)
    changed = key[:position] + character + key[position + 1 :]
    if changed != key:
        with pytest.raises(Malformed):
            parse_key(changed)


@given(st.text() | st.from_regex(r"abs_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}", fullmatch=True))
def test_garbage_is_malformed_and_never_repeated(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_key(text)
    assert len(text) < 12 or text not in str(caught.value)


@pytest.mark.parametrize("extra", [" ", "\n", "x"])
def test_nothing_may_follow_or_precede(extra: str) -> None:
    key = format_key(new_id(), new_secret())
    for text in (key + extra, extra + key):
        with pytest.raises(Malformed):
            parse_key(text)


def test_is_id() -> None:
    assert is_id(new_id())
    assert not any(is_id(text) for text in ("", "0" * 11, "0" * 13, "0" * 11 + "_", "é" * 12))
