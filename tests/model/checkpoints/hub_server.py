"""A small HTTP server that answers as the model hub does: digests of files, redirects of large ones, ranges."""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub has, and what it was asked. `cut_at`: bytes of a large file after which it hangs up, each time."""

    files: dict[str, bytes]
    large: frozenset[str] = frozenset({"model.safetensors", "pytorch_model.bin"})
    token: str = ""
    cut_at: int | None = None
    corrupt: str = ""
    fetched: list[str] = field(default_factory=list)
    storage_saw_token: bool = False

    def info(self) -> dict[str, Any]:
        siblings = []
        for name, data in self.files.items():
            item: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": _blob(data)}
            if name in self.large:
                item["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(item)
        return {"id": "org/tiny", "sha": COMMIT, "cardData": {"license": "apache-2.0"}, "siblings": siblings}

    def tree(self) -> list[dict[str, Any]]:
        items = []
        for name, data in self.files.items():
            item: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": _blob(data)}
            if name in self.large:
                item["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            items.append(item)
        return items


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


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

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/storage/"):
            self._hub.storage_saw_token |= "Authorization" in self.headers
            self._file(path.removeprefix("/storage/"))
        elif self._hub.token and self.headers.get("Authorization") != f"Bearer {self._hub.token}":
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif re.fullmatch(rf"/api/models/org/tiny/revision/(main|v1|{COMMIT})", path):
            self._send(200, json.dumps(self._hub.info()).encode())
        elif path == f"/api/models/org/tiny/tree/{COMMIT}":
            self._send(200, json.dumps(self._hub.tree()).encode())
        elif path.startswith(f"/org/tiny/resolve/{COMMIT}/"):
            self._resolve(path.rpartition("/")[2])
        elif path.startswith("/api/models/org/tiny/revision/"):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _resolve(self, name: str) -> None:
        if name not in self._hub.large:
            self._file(name)
            return
        data, port = self._hub.files[name], cast(_Server, self.server).server_port
        about = {"X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Linked-Size": str(len(data))}
        self._send(302, b"", {"Location": f"http://localhost:{port}/storage/{name}", "X-Repo-Commit": COMMIT, **about})

    def _file(self, name: str) -> None:
        data = self._hub.files[name]
        etag = f'"{_blob(data)}"'
        if self.command == "GET":
            self._hub.fetched.append(name)
        if name == self._hub.corrupt:
            data = b"?" * len(data)
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        body = data[int(wanted[1]) if wanted else 0 :]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        self.send_header("X-Repo-Commit", COMMIT)
        if wanted:
            self.send_header("Content-Range", f"bytes {wanted[1]}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self._hub.cut_at is not None and name in self._hub.large:
            body, self.close_connection = body[: self._hub.cut_at], True
        if self.command == "GET":
            self.wfile.write(body)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass
