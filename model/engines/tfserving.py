"""TensorFlow Serving over its REST API (https://www.tensorflow.org/tfx/serving/api_rest)."""

import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlsplit

import numpy as np

from model.engines.base import Engine
from model.engines.checks import checked_scores
from model.errors import EngineError

MAX_BODY: Final = 16 << 20
"""Bytes of an answer; a score takes about 20."""
TIMEOUT: Final = 10.0
"""Seconds for each of connecting, sending and waiting for the answer."""


class TFServingEngine(Engine):
    """One model on a server, over one connection that is kept open.

    A prediction may be asked for twice: when a connection that was kept turns out to be closed, it is made once more.
    """

    def __init__(self, url: str, model: str, labels: int, timeout: float = TIMEOUT) -> None:
        """`url`: the server's REST address. EngineError unless the server has a version of the model available."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineError(f"{url} is not the http:// or https:// address of a TensorFlow Serving")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection: HTTPConnection = kind(parts.hostname, parts.port, timeout=timeout)
        self._path = f"{parts.path.rstrip('/')}/v1/models/{quote(model, safe='')}"
        self._at = f"{url} ({model})"
        self._labels = labels
        try:
            self.check()
        except EngineError:
            self.close()
            raise

    def check(self) -> None:
        """EngineError unless a version of the model is in the state AVAILABLE."""
        status = self._ask("GET", self._path, None)
        versions = status.get("model_version_status") if isinstance(status, dict) else None
        states = [version.get("state") for version in versions or () if isinstance(version, dict)]
        if "AVAILABLE" not in states:
            raise EngineError(f"{self._at}: no version is available, only {', '.join(map(str, states)) or 'none'}")

    def scores(self, ids: Sequence[int]) -> tuple[float, ...]:
        """See Engine."""
        body = json.dumps({"signature_name": "serving_default", "instances": [{"ids": list(map(int, ids))}]})
        answer = self._ask("POST", f"{self._path}:predict", body)
        return checked_scores(self._rows(answer), self._labels)

    def close(self) -> None:
        """See Engine."""
        self._connection.close()

    def _rows(self, answer: Any) -> Any:
        """`predictions`: one item a text, the output itself or, of a model with several, an object by output."""
        try:
            rows = [row["scores"] if isinstance(row, dict) else row for row in answer["predictions"]]
            return np.array(rows, np.float32)
        except (KeyError, TypeError, ValueError) as exc:
            raise EngineError(f"{self._at}: an answer without scores: {str(answer)[:200]}") from exc

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        kept = self._connection.sock is not None
        try:
            response, data = self._send(method, path, body)
        except (OSError, HTTPException) as exc:
            self._connection.close()
            if not kept or isinstance(exc, TimeoutError):
                raise EngineError(f"{self._at}: {exc or type(exc).__name__}") from exc
            return self._ask(method, path, body)
        try:
            answer = json.loads(data)  # takes the bare NaN that the server writes, which is then no finite score
        except ValueError as exc:
            raise EngineError(f"{self._at}: status {response.status}, not JSON: {data[:200]!r}") from exc
        if response.status != 200:
            error = answer.get("error") if isinstance(answer, dict) else None
            raise EngineError(f"{self._at}: status {response.status}: {str(error or answer)[:500]}")
        return answer

    def _send(self, method: str, path: str, body: str | None) -> tuple[HTTPResponse, bytes]:
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        data = response.read(MAX_BODY + 1)
        if len(data) > MAX_BODY:
            raise HTTPException(f"an answer of more than {MAX_BODY} bytes")
        return response, data


def is_available(url: str, model: str, timeout: float) -> bool:
    """Whether the server answers within `timeout` seconds and has a version of the model available."""
    try:
        TFServingEngine(url, model, labels=0, timeout=timeout).close()
    except EngineError:
        return False
    return True
