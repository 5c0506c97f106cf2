"""JSON as clients send it."""

import codecs
import json
from typing import Any

from service.errors import ServiceError


def parse_json(body: bytes) -> Any:
    """The JSON value in UTF-8 bytes. Raises ServiceError `malformed-body`, which says where the fault is.

    A byte order mark is passed over (RFC 8259, section 8.1).
    """
    try:
        return json.loads(body.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise malformed("The body is not UTF-8. Encode it so (RFC 8259, section 8.1).") from error
    except RecursionError as error:
        raise malformed("The JSON is nested too deeply. Send a flat object.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise malformed(f"The body is not JSON: {error.msg} at {place}. Fix it there.") from error
    except ValueError as error:  # a number of thousands of digits
        raise malformed("The JSON holds a number that is too long. Send a shorter one.") from error


def malformed(message: str) -> ServiceError:
    """The error of a body or file that cannot be read."""
    return ServiceError("malformed-body", message)
