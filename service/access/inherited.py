"""Some WSGI servers hand each request the environment of their process, too; what lies there is no header."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_OF_REQUESTS: Final = ("HTTP_", "CONTENT_")
"""Beginnings of the names under which a request's headers stand (PEP 3333)."""


def without_inherited(app: "WSGIApplication", environment: Mapping[str, str]) -> "WSGIApplication":
    """The app, which does not get to see headers that are the process's variables; itself if there are none.

    Where a server does hand them over, a header that was sent with the very same value goes, too.
    """
    headers = {name: value for name, value in environment.items() if name.startswith(_OF_REQUESTS)}
    others = [name for name in environment if name not in headers]
    if not headers:
        return app

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if any(name in environ for name in others):
            for name, value in headers.items():
                if environ.get(name) == value:
                    del environ[name]
        return app(environ, start_response)

    return call
