"""The path under which a proxy, or another server's mount, has the service: addresses in answers begin with it."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flask import has_request_context, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER: Final = "X-Forwarded-Prefix"

_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@:+-]+)*")


def forwarded_prefix(header: str | None, hops: int) -> str:
    """What proxies took off the path before it came here: empty, or like `/a/b`.

    header: X-Forwarded-Prefix as the peer sent it. Of its values the last `hops` are believed, one a proxy, the
    outermost first; together they are the prefix. If one is no plain path, none counts.
    """
    if not hops or not header:
        return ""
    values = [value.strip(" \t/") for value in header.split(",")[-hops:]]
    prefix = "".join(f"/{value}" for value in values if value)
    return prefix if _PATH.fullmatch(prefix) else ""


def under_prefix(app: "WSGIApplication", hops: int) -> "WSGIApplication":
    """The app, which is told as its SCRIPT_NAME (PEP 3333) what proxies took off the path, too."""

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        prefix = forwarded_prefix(environ.get("HTTP_X_FORWARDED_PREFIX"), hops)
        environ["SCRIPT_NAME"] = prefix + environ.get("SCRIPT_NAME", "")
        return app(environ, start_response)

    return call


def root() -> str:
    """What addresses on this service begin with for whoever asked; empty where nobody asks over HTTP.

    Percent-encoded, and never more than a path: no other host, nothing that HTML or a header would understand.
    """
    if not has_request_context():
        return ""
    mounted: str = request.environ.get("SCRIPT_NAME", "")
    path = quote(mounted.strip("/").encode("latin-1"))
    return f"/{path}" if path else ""
