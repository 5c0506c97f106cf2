"""URLs of Couchbase stores."""

from urllib.parse import urlsplit

import pytest

from storage.backends.couchbase.url import CouchbaseUrl
from storage.connect import open_backend


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("couchbase://db/main", CouchbaseUrl("couchbase://db", "main", "abstracts")),
        ("couchbase://db/main/", CouchbaseUrl("couchbase://db", "main", "abstracts")),
        ("couchbases://db1,db2/main/other", CouchbaseUrl("couchbases://db1,db2", "main", "other")),
        (
            "couchbase://10.0.0.1:11210,db2:12000/b%20c/s",
            CouchbaseUrl("couchbase://10.0.0.1:11210,db2:12000", "b c", "s"),
        ),
    ],
)
def test_hosts_bucket_and_scope(url: str, parsed: CouchbaseUrl) -> None:
    assert CouchbaseUrl.parse(urlsplit(url)) == parsed


@pytest.mark.parametrize(
    "url",
    [
        "couchbase://db",
        "couchbase:///bucket",
        "couchbase://db/b/s/more",
        "couchbase://me:secret@db/b",
        "couchbase://db/b?timeout=1",
        "couchbase://db/b#s",
    ],
)
def test_anything_else_is_refused_without_a_connection(url: str) -> None:
    with pytest.raises(ValueError, match="give couchbase://host1,host2/BUCKET"):
        open_backend(url, username="u", password="p")
