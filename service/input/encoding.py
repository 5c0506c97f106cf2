"""Bytes to text: UTF-8, UTF-16 and UTF-32; any other encoding is named."""

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STRAY: Final = re.compile("[\udc80-\udcff]")
# By these the bytes of the usual encodings can be told apart, each tried in turn: (encoding, as iconv calls it).
_OTHERS: Final = (("shift_jis", "SHIFT_JIS"), ("euc_jp", "EUC-JP"), ("gb18030", "GB18030"), ("big5", "BIG5"))


def encoding_of(head: bytes) -> str:
    """The codec for bytes that begin so, by their mark or by where their zeros are; otherwise UTF-8's."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    even, odd = head[0:2000:2], head[1:2000:2]
    if len(odd) > 1 and odd.count(0) > 0.3 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if len(odd) > 1 and even.count(0) > 0.3 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return "utf-8-sig"


def errors_of(encoding: str) -> str:
    """How wrong bytes are decoded: those of UTF-8 can be found again with `stray_bytes`."""
    return "surrogateescape" if encoding == "utf-8-sig" else "replace"


def stray_bytes(text: str) -> str | None:
    """What is wrong with a text decoded as UTF-8 that is in another encoding, and the likely one; None if it is not."""
    found = _STRAY.search(text)
    if found is None:
        return None
    raw = text.encode("utf-8", "surrogateescape" if not _other_halves(text) else "replace")
    named = _guess(raw)
    byte = ord(found[0]) - 0xDC00
    return f"It is not UTF-8 (byte 0x{byte:02X}), but perhaps {named}. Convert it: iconv -f {named} -t UTF-8 FILE"


def scrubbed(text: str) -> str:
    """The text with U+FFFD for whatever cannot be encoded."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode() if _halves(text) else text


def _halves(text: str) -> bool:
    return re.search("[\ud800-\udfff]", text) is not None


def _other_halves(text: str) -> bool:
    return re.search("[\ud800-\udc7f\udd00-\udfff]", text) is not None


def _guess(raw: bytes) -> str:
    high = [byte for byte in raw if byte > 0x7F]
    if len(high) * 5 < len(raw):  # mostly Latin letters
        return "WINDOWS-1252" if any(byte < 0xA0 for byte in high) else "ISO-8859-1"
    for encoding, name in _OTHERS:
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return name
    return "WINDOWS-1251"
