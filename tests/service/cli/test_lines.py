"""What `predict` takes a file for, and how much of it is held at a time."""

import gzip
import io
import lzma
from typing import Any

import pytest

from service.errors import InvalidRequest, ServiceError
from service.input.lines import MAX_LINE, Item, read_items

OBJECT = b'{"abstract": "a"}\n'


def items(content: bytes, name: str = "-") -> list[Item]:
    return list(read_items(io.BytesIO(content), name))


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.b.jsonl"])
def test_the_name_says_lines(name: str) -> None:
    assert [(item.line, item.body) for item in items(b"nonsense\n" + OBJECT, name)] == [(1, b"nonsense\n"), (2, OBJECT)]


@pytest.mark.parametrize("name", ["-", "a.txt", "a.json", "jsonl"])
def test_the_first_line_says_lines(name: str) -> None:
    assert [item.line for item in items(b"\n \n" + OBJECT + b"nonsense\n", name)] == [3, 4]


@pytest.mark.parametrize("text", [b"A text\nof two lines", b"{\\it Context.} We see", b"", b"\n\n", b'"{"', b"[1]\n"])
def test_anything_else_is_one_text(text: bytes) -> None:
    (item,) = items(text)
    assert item.line is None
    assert item.value() == {"abstract": item.body.decode()}
    assert item.body.strip() == text.strip()


def test_blank_lines_count_but_are_passed_over() -> None:
    assert [item.line for item in items(OBJECT + b"\n  \n" + OBJECT)] == [1, 4]


def test_a_byte_order_mark_does_not_matter() -> None:
    assert items(b"\xef\xbb\xbf" + OBJECT)[0].value() == {"abstract": "a"}
    assert items("\ufeffA text".encode())[0].value() == {"abstract": "A text"}


def test_the_last_line_needs_no_end() -> None:
    assert items(OBJECT + OBJECT.strip())[1].value() == {"abstract": "a"}


def test_packed_files() -> None:
    assert items(gzip.compress(OBJECT * 2), "a.jsonl.gz")[1].value() == {"abstract": "a"}
    assert items(lzma.compress(OBJECT * 2), "a.jsonl.xz")[1].value() == {"abstract": "a"}
    assert items(gzip.compress(b"A text"), "a.txt.gz")[0].line is None
    with pytest.raises(EOFError):
        items(gzip.compress(OBJECT * 100)[:-12], "a.jsonl.gz")


def test_a_line_that_is_too_long_is_cut_and_refused_and_the_next_one_read() -> None:
    first, second = items(b'{"x": "' + b"y" * (3 * MAX_LINE) + b'"}\n' + OBJECT)
    assert len(first.body) == MAX_LINE + 1
    with pytest.raises(InvalidRequest, match="more than"):
        first.value()
    assert (second.line, second.value()) == (2, {"abstract": "a"})


def test_a_line_of_just_the_limit_is_read() -> None:
    padding = b" " * (MAX_LINE - len(OBJECT)) + OBJECT
    assert [item.line for item in items(padding + OBJECT, "a.jsonl")] == [1, 2]
    assert items(padding)[0].value() == {"abstract": "a"}


def test_a_text_that_is_too_long_is_refused() -> None:
    (item,) = items(b"y" * (2 * MAX_LINE))
    with pytest.raises(InvalidRequest, match="more than"):
        item.value()


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(ServiceError, match="UTF-8"):
        items(b"caf\xe9")[0].value()
    with pytest.raises(ServiceError, match="UTF-8"):
        items(b'{"abstract": "caf\xe9"}')[0].value()


class Endless(io.RawIOBase):
    """Lines without end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        view[: len(OBJECT)] = OBJECT
        return len(OBJECT)


def test_items_come_before_the_input_ends() -> None:
    found = read_items(io.BufferedReader(Endless()), "-")
    assert [next(found).line for _ in range(3)] == [1, 2, 3]
