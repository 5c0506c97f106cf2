"""A small HTTP server that answers as the model hub does: model info with blobs, redirect of large files, ranges."""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub has, and what it was asked. `cut_at`: bytes of a large file after which it hangs up, once."""

    files: dict[str, bytes]
    large: frozenset[str] = frozenset({"model.safetensors", "pytorch_model.bin"})
    token: str = ""
    cut_at: int | None = None
    corrupt: str = ""
    ranges: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    storage_saw_token: bool = False

    def info(self) -> dict[str, Any]:
        siblings = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            item: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
            if name in self.large:
                item["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(item)
        return {"id": "org/tiny", "sha": COMMIT, "cardData": {"license": "apache-2.0"}, "siblings": siblings}


def serve_hub(hub: Hub) -> ThreadingHTTPServer:
    """A running server; the caller shuts it down and closes it."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _hub(self) -> Hub:
        return cast(_Server, self.server).hub

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._hub.asked.append(parts.path)
        if parts.path.startswith("/storage/"):
            self._hub.storage_saw_token |= "Authorization" in self.headers
            self._file(parts.path.removeprefix("/storage/"))
        elif self._hub.token and self.headers.get("Authorization") != f"Bearer {self._hub.token}":
            self._send(401, b"{}")
        elif re.fullmatch(r"/api/models/org/tiny/revision/(main|v1)", parts.path):
            assert "blobs" in parse_qs(parts.query)
            self._send(200, json.dumps(self._hub.info()).encode())
        elif parts.path.startswith(f"/org/tiny/resolve/{COMMIT}/"):
            self._resolve(parts.path.rpartition("/")[2])
        else:
            self._send(404, b'{"error":"Repository not found"}')

    def _resolve(self, name: str) -> None:
        if name in self._hub.large:
            port = cast(_Server, self.server).server_port
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{port}/storage/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._file(name)

    def _file(self, name: str) -> None:
        data = self._hub.files[name]
        if name == self._hub.corrupt:
            data = b"?" * len(data)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        if wanted:
            self._hub.ranges.append(f"{name} {start}")
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        body = data[start:]
        if self._hub.cut_at is not None and name in self._hub.large:
            body, self._hub.cut_at, self.close_connection = body[: self._hub.cut_at], None, True
        self.wfile.write(body)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass
