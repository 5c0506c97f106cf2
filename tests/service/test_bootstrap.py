"""Settings that only the parts themselves can judge."""

from pathlib import Path

import pytest

from config import SettingsError
from service.bootstrap import read_settings

USER = {"STORE_USERNAME": "service", "STORE_PASSWORD": "hunter2"}
COUCHBASE = {"STORE_URL": "couchbase://a,b/bucket/scope", **USER}


def faults(**variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings({f"ABSTRACTS_{name}": value for name, value in variables.items()})
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("mysql://x/y", "give one of memory://, sqlite://, couchbase://, couchbases://"),
        ("sqlite://x", "it names no file: give sqlite:///relative/path"),
        ("sqlite:///", "it names no file"),
        ("couchbase://host", "it names no bucket: give couchbase://host1,host2/BUCKET"),
        ("couchbase://host/b/s/x", "it names no bucket"),
        ("couchbase://host/b?x=y", "it has a query"),
    ],
)
def test_a_wrong_store_url_is_named_with_the_remedy(url: str, remedy: str) -> None:
    assert f"ABSTRACTS_STORE_URL: {remedy}" in faults(STORE_URL=url, **USER).replace("it starts with 'mysql': ", "")


def test_all_that_couchbase_lacks_is_said_at_once_with_the_rest() -> None:
    found = faults(STORE_URL="couchbase://host", STORE_CA="/nowhere/ca.pem", PORT="x")
    for name in ("STORE_URL", "STORE_USERNAME", "STORE_PASSWORD", "STORE_CA", "PORT"):
        assert f"ABSTRACTS_{name}" in found
    settings = read_settings({f"ABSTRACTS_{name}": value for name, value in COUCHBASE.items()})
    assert settings.store_url == COUCHBASE["STORE_URL"]


def test_an_authority_is_a_file_and_for_an_encrypted_connection(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    assert "STORE_CA: there is no such file" in faults(
        **COUCHBASE | {"STORE_URL": "couchbases://a/b"}, STORE_CA="/none"
    )
    assert "give couchbases://" in faults(**COUCHBASE, STORE_CA=f"{tmp_path}/ca.pem")


def test_a_user_in_the_store_url_is_refused_without_showing_it() -> None:
    found = faults(STORE_URL="couchbase://me:hunter3@host/bucket", **USER)
    assert "it names a user" in found
    assert "hunter3" not in found
