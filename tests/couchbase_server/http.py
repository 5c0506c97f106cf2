"""As much of HTTP/1.1 as the management and control ports need."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

MAX_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: tuple[str, ...]
    authorization: str
    body: bytes

    def form(self) -> dict[str, str]:
        """The fields of an application/x-www-form-urlencoded body; of a repeated field the last."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: HTTPStatus
    body: Any = None


Handler = Callable[[HttpRequest], HttpResponse]


async def serve_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
    """Answers requests on one connection until the client goes."""
    try:
        while request := await _read(reader):
            writer.write(_encode(handler(request)))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> HttpRequest | None:
    first = await reader.readline()
    if not first:
        return None
    method, target, _ = first.decode("ascii").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if length > MAX_BODY:
        raise ValueError("the body is too large")
    body = await reader.readexactly(length)
    path = tuple(unquote(part) for part in target.partition("?")[0].strip("/").split("/"))
    return HttpRequest(method, path, headers.get("authorization", ""), body)


def _encode(response: HttpResponse) -> bytes:
    body = b"" if response.body is None else json.dumps(response.body).encode()
    head = (
        f"HTTP/1.1 {response.status.value} {response.status.phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
