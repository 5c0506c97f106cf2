"""Small pictures: PNG with 256 colours (https://www.w3.org/TR/png-3/)."""

import base64
import json
import struct
import zlib

import numpy as np
import numpy.typing as npt

from tests.service.web.browser import Page

COLOURS = 256
_PIXELS = """(async () => {
  const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(%s), (c) => c.charCodeAt(0))]));
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const { data } = canvas.getImageData(0, 0, picture.width, picture.height);
  const bytes = [];
  for (let at = 0; at < data.length; at += 8192) bytes.push(String.fromCharCode(...data.subarray(at, at + 8192)));
  return btoa(bytes.join(""));
})()"""


def shrink(page: Page, png: bytes) -> bytes:
    """The same picture in its commonest colours; the page decodes it."""
    width, height = struct.unpack(">II", png[16:24])
    data = base64.b64decode(page.run(_PIXELS % json.dumps(base64.b64encode(png).decode())))
    pixels = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, :3].astype(np.int64)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    palette = colours[np.argsort(-counts)[:COLOURS]]
    nearest = ((colours[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    return _encode(width, height, palette.astype(np.uint8), nearest[places.reshape(height, width)].astype(np.uint8))


def _encode(width: int, height: int, palette: npt.NDArray[np.uint8], indices: npt.NDArray[np.uint8]) -> bytes:
    rows = np.pad(indices, ((0, 0), (1, 0)))  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
