"""The URL of a Couchbase store: couchbase://host1,host2/BUCKET/SCOPE."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult, unquote

DEFAULT_SCOPE: Final = "abstracts"


@dataclass(frozen=True, slots=True)
class CouchbaseUrl:
    """hosts: the part before the path, as the SDK takes it (couchbases:// means TLS)."""

    hosts: str
    bucket: str
    scope: str

    @classmethod
    def parse(cls, parts: SplitResult) -> Self:
        """ValueError unless hosts and bucket are named and nothing else than a scope follows."""
        names = [unquote(name) for name in parts.path.strip("/").split("/")]
        form = f"give {parts.scheme}://host1,host2/BUCKET or {parts.scheme}://host1,host2/BUCKET/SCOPE"
        if not parts.netloc or not names[0] or len(names) > 2:
            raise ValueError(f"it names no bucket: {form}")
        if "@" in parts.netloc:
            raise ValueError(f"it names a user: {form}, and user name and password by themselves")
        if parts.query or parts.fragment:
            raise ValueError(f"it has a query: {form}")
        return cls(f"{parts.scheme}://{parts.netloc}", names[0], names[1] if len(names) == 2 else DEFAULT_SCOPE)
