"""An HTTP server that loads an exported SavedModel with TensorFlow and answers as TensorFlow Serving's REST API does.

From https://www.tensorflow.org/tfx/serving/api_rest: status of a model, predict in row format, errors as {"error"}.
"""

import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tensorflow as tf


class ServingServer(ThreadingHTTPServer):
    """Serves the latest version in each folder of `base`. `connections` counts those that were made.

    state: what the status says of each version. fault: `error`, `nan`, `garbage`, `slow` or `hang up`, for predictions.
    """

    daemon_threads = True

    def __init__(self, base: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.versions = {path.name: _latest(path) for path in base.iterdir() if path.is_dir()}
        self.models = {name: tf.saved_model.load(str(path)) for name, path in self.versions.items()}
        self.state = "AVAILABLE"
        self.fault = ""
        self.resume = threading.Event()
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> Any:
        connection, address = super().get_request()
        self.connections += 1
        self._open.append(connection)
        return connection, address

    def hang_up(self) -> None:
        """Close every connection, as a server that restarts does."""
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client has closed it
        self._open.clear()

    def close(self) -> None:
        self.resume.set()
        self.shutdown()
        self.hang_up()
        self.server_close()


def _latest(model: Path) -> Path:
    return max((path for path in model.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ServingServer

    def do_GET(self) -> None:
        path = re.fullmatch(r"/v1/models/([^/:]+)", self.path)
        if not path or path[1] not in self.server.models:
            self._send(404, {"error": f"Could not find any versions of model {path[1] if path else ''}"})
            return
        status = {"error_code": "OK", "error_message": ""}
        version = self.server.versions[path[1]].name
        self._send(200, {"model_version_status": [{"version": version, "state": self.server.state, "status": status}]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = re.fullmatch(r"/v1/models/([^/:]+):predict", self.path)
        if not path or path[1] not in self.server.models:
            self._send(404, {"error": f"Servable not found for request: Latest({path[1] if path else ''})"})
        elif self.server.fault == "slow":
            self.server.resume.wait(10)
        elif self.server.fault == "garbage":
            self._send_bytes(200, b"<html>")
        elif self.server.fault == "error":
            self._send(400, {"error": "input must be a matrix"})
        else:
            self._predict(self.server.models[path[1]], json.loads(body))

    def _predict(self, model: Any, request: dict[str, Any]) -> None:
        signature = model.signatures[request["signature_name"]]
        rows = [row["ids"] for row in request["instances"]]
        try:
            scores = signature(ids=tf.constant(rows, tf.int32))["scores"].numpy().tolist()
        except (tf.errors.OpError, ValueError, TypeError) as exc:
            self._send(400, {"error": str(exc)})
            return
        if self.server.fault == "nan":
            scores[0][0] = float("nan")
        self._send(200, {"predictions": scores})

    def _send(self, status: int, value: object) -> None:
        self._send_bytes(status, json.dumps(value).encode())

    def _send_bytes(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass
