"""The error map of GET_ERROR_MAP (docs/ErrorMap.md): what a client may conclude from a status it does not know."""

import json

from tests.couchbase_server.wire import Status

ATTRIBUTES = {
    Status.OK: ["success"],
    Status.NOT_FOUND: ["item-only"],
    Status.EXISTS: ["item-only"],
    Status.TOO_BIG: ["item-only", "invalid-input"],
    Status.INVALID: ["internal", "invalid-input"],
    Status.NOT_STORED: ["item-only"],
    Status.NOT_A_NUMBER: ["item-only", "invalid-input"],
    Status.NOT_MY_VBUCKET: ["fetch-config", "invalid-input"],
    Status.NO_BUCKET: ["conn-state-invalidated"],
    Status.LOCKED: ["item-only", "item-locked", "retry-now"],
    Status.AUTH_ERROR: ["conn-state-invalidated", "auth"],
    Status.AUTH_CONTINUE: ["special-handling"],
    Status.RANGE: ["internal"],
    Status.NO_ACCESS: ["support", "auth"],
    Status.UNKNOWN_FRAME_INFO: ["support"],
    Status.UNKNOWN_COMMAND: ["support"],
    Status.OUT_OF_MEMORY: ["temp", "retry-later"],
    Status.NOT_SUPPORTED: ["support"],
    Status.BUSY: ["temp", "retry-later"],
    Status.TEMPORARY_FAILURE: ["temp", "retry-later"],
    Status.UNKNOWN_COLLECTION: ["fetch-config", "invalid-input"],
    Status.UNKNOWN_SCOPE: ["fetch-config", "invalid-input"],
    Status.BAD_DURABILITY_LEVEL: ["invalid-input"],
}


def error_map(version: int) -> bytes:
    """The map in the asked version, at most 2."""
    errors = {
        f"{status:x}": {"name": status.name, "desc": status.name.lower().replace("_", " "), "attrs": attributes}
        for status, attributes in ATTRIBUTES.items()
    }
    return json.dumps({"version": min(version, 2), "revision": 1, "errors": errors}).encode()
