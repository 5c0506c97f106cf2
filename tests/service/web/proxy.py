"""A proxy in front of the server, under a path prefix, that can answer in its place, be slow, or hang up."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import requests

PREFIX = "/tools/abstracts"
DROPPED = ("connection", "content-length", "transfer-encoding", "date", "server")


class Reply(NamedTuple):
    """What the proxy says itself."""

    status: int
    type: str
    body: str
    headers: Mapping[str, str] = {}


class Proxy:
    """`replies` by path (without the prefix); None: it hangs up. Paths in `held` wait until `release` is set."""

    def __init__(self, port: int) -> None:
        self.upstream = f"http://127.0.0.1:{port}"
        self.replies: dict[str, Reply | None] = {}
        self.held: set[str] = set()
        self.release = threading.Event()
        self.address = ""

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{server.server_port}{PREFIX}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.release.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.removeprefix(PREFIX)
                if path == self.path:
                    return self.reply(Reply(404, "text/html", "<h1>Nothing here</h1>"))
                if path in proxy.held:
                    proxy.release.wait(60)
                if path not in proxy.replies:
                    return self.forward(path, body)
                reply = proxy.replies[path]
                if reply is not None:
                    return self.reply(reply)
                self.close_connection = True
                return None

            do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

            def forward(self, path: str, body: bytes) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                found = requests.request(self.command, proxy.upstream + path, data=body, headers=headers, timeout=60)
                kept = {name: value for name, value in found.headers.items() if name.lower() not in DROPPED}
                self.reply(Reply(found.status_code, "", found.content.decode(), kept))

            def reply(self, reply: Reply) -> None:
                self.send_response(reply.status)
                headers = {"Content-Type": reply.type, **reply.headers} if reply.type else reply.headers
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body.encode())))
                self.end_headers()
                self.wfile.write(reply.body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        return Handler
